package client

import "net/http"

// setFetchOptions tells the browser's fetch, through net/http, to send and keep no cookies and to follow no redirects.
func setFetchOptions(h http.Header) {
	h.Set("js.fetch:credentials", "omit")
	h.Set("js.fetch:redirect", "manual")
}
