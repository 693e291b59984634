package server

import (
	_ "embed"

	"github.com/labstack/echo/v4"
)

// apiDocument is docs/openapi.yaml in JSON.
//
//go:embed openapi.json
var apiDocument []byte

// getOpenAPI answers GET /v1/openapi.json: what all routes take and answer, of both listeners.
func (s *Server) getOpenAPI(c echo.Context) error { return answerCached(c, apiDocument) }
