// Package server is the HTTP interface of Kith, an Echo application: it decodes requests, calls the packages below it,
// and encodes their answers and errors. Nothing below it knows HTTP.
//
//	GET    /v1/directory                    anyone           what the server offers: epochs, public keys, limits
//	GET    /v1/keylog                       anyone           the log of public keys, signed
//	GET    /v1/openapi.json                 anyone           the API document, docs/openapi.yaml, which has all routes
//	POST   /v1/epochs/{e}/evaluations       scope discover   blinded elements in, evaluated elements and a proof out
//	POST   /v1/epochs/{e}/matches           anyone           tags in, the sealed labels of those registered out
//	POST   /v1/epochs/{e}/buckets           anyone           prefixes in, the short tags or sealed labels of buckets out
//	GET    /v1/epochs/{e}/snapshot          anyone           what to download for the mode snapshot, .../{shard}, .../changes
//	GET    /v1/quota                        scope discover   what the account can have evaluated
//	PUT    /v1/registrations                scope register   registers or hides a number
//	DELETE /v1/registrations                scope register   removes a number
//	POST   /v1/registrations/import         scope register   registers the lines of a stream, and answers each with a line
//
// Evaluations and matches take JSON or packed bytes and answer in kind. Errors are problems of RFC 9457
// (docs/problems.md), made in one place from the errors of the packages below; no problem quotes what was sent.
//
// What is logged of a request: its method, its route (never its path), its status, its duration, the bytes in and out,
// and an id made here. Not its address, its account, its headers, or anything of its body. What a lookup asks is never
// tied to an account: lookups take no credential, and refuse one.
//
// On the admin listener, for operators (scope operate): GET and POST /v1/epochs, POST /v1/epochs/{id}/activate, abort and
// retire, POST /v1/keylog/cosignatures, GET /v1/limits, POST /v1/quotas/read, raise, reset, block, unblock and forget. Each of their actions is logged, with the operator's account as a keyed hash.
//
// A Server may be used by many goroutines.
package server
