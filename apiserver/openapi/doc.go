// Package openapi describes what is served in OpenAPI v3 (a document per group and version) and v2.
//
// The documents are made from the catalog's rows and the Go types behind them: json tags give the fields, the
// types' own SwaggerDoc the descriptions, patch tags the merge keys. What upstream's types say in comments alone comes from
// marks.json.gz, which e2e/oracle/cmd/marks makes: values, required fields, keys, defaults. Operations follow from verbs, by the
// rules of upstream's installer. What comes out is what kube-apiserver serves, to the byte in v3.
// A document is built when it is first asked for, and again when the catalog has changed.
//
// Nouns: chapter (what a document of v3 is about), installer (the routes of a group and version), models (Go types as schemas), marks
// (what reflection does not see), Service (the documents over HTTP). Start reading at Service.
//
// Simplifications: the hash in a document's address, which is its ETag too, is made from what the document is made from, and not from
// the document.
package openapi
