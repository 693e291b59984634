package apitest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// exchangeKey is where the exchange that is under way is kept.
type exchangeKey struct{}

// Proxy passes requests on to a server and checks each exchange. What is not as documented is reported; the client gets the
// server's answer all the same, or a connection that ends if there is none.
func (d *Document) Proxy(server *url.URL, report func(error)) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport: &http.Transport{DisableCompression: true},
		ModifyResponse: func(answer *http.Response) error {
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				return err
			}
			_ = answer.Body.Close()
			answer.Body = io.NopCloser(bytes.NewReader(body))
			e := answer.Request.Context().Value(exchangeKey{}).(Exchange)
			e.Status, e.Response, e.ResponseBody = answer.StatusCode, answer.Header, body
			if err := d.Check(e); err != nil {
				report(err)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		e := Exchange{Method: r.Method, Target: r.URL.RequestURI(), Request: r.Header, RequestBody: body}
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e))
		if r.Body = http.NoBody; len(body) > 0 {
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, r)
	})
}
