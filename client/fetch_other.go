//go:build !js

package client

import "net/http"

// setFetchOptions does nothing outside of browsers, where newHTTPClient sees to cookies and redirects.
func setFetchOptions(http.Header) {}
