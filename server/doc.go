// Package server is the HTTP interface of Kith, an Echo application: it decodes requests, calls the packages below it,
// and encodes their answers and errors. Nothing below it knows HTTP.
//
//	GET    /v1/directory                    anyone           what the server offers: epochs, public keys, limits
//	POST   /v1/epochs/{e}/evaluations       scope discover   blinded elements in, evaluated elements and a proof out
//	POST   /v1/epochs/{e}/matches           anyone           tags in, the sealed labels of those registered out
//	PUT    /v1/registrations                scope register   registers or hides a number
//	DELETE /v1/registrations                scope register   removes a number
//
// Evaluations and matches take JSON or packed bytes and answer in kind. Errors are problems of RFC 9457
// (docs/problems.md), made in one place from the errors of the packages below; no problem quotes what was sent.
//
// What is logged of a request: its method, its route (never its path), its status, its duration, the bytes in and out,
// and an id made here. Not its address, its account, its headers, or anything of its body. What a lookup asks is never
// tied to an account: lookups take no credential, and refuse one.
//
// Left out so far: limits on evaluations, the lookup modes bucket and snapshot, and the rotation of keys.
//
// A Server may be used by many goroutines.
package server
