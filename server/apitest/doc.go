// Package apitest holds exchanges of HTTP, a request and its answer each, to the API document docs/openapi.yaml. It is for
// tests alone: nothing that is shipped imports it.
//
// An exchange is as documented if its route, status, headers and body are those of the document, with no header or member
// that is not there, and if the server has taken what the document allows and nothing else. What a schema can not say,
// such as that a member is given once, the document says in words; see the list inWords.
//
// Schemas are checked by the validator of kin-openapi that does not compile them for each value, as the one for JSON Schema
// 2020-12 does. Read refuses documents with keywords that it does not look at.
package apitest
