// Package openapi describes what is served in OpenAPI v3 (a document per group and version) and v2.
//
// The documents are made from the catalog's rows and the Go types behind them: json tags give the fields, the
// types' own SwaggerDoc the descriptions, patch tags the merge keys. What upstream's types say in comments alone comes from
// marks.json.gz, which e2e/oracle/cmd/marks makes: values, required fields, keys, defaults.
// A document is built when it is first asked for, and again when the catalog has changed.
//
// Nouns: models (Go types as schemas), marks (what reflection does not see), Service (the documents over HTTP). Start reading at
// Service.
//
// Simplifications: operations are described in our own words, in fewer of them, and with fewer parameters.
package openapi
