// Package openapi describes what is served in OpenAPI v3 (a document per group and version) and v2.
//
// The documents are made from the catalog's rows and the Go types behind them: json tags give the fields, the
// types' own SwaggerDoc the descriptions, patch tags the merge keys. Nothing generated is kept in the repository.
// A document is built when it is first asked for, and again when the catalog has changed.
//
// Nouns: models (Go types as schemas), Service (the documents over HTTP). Start reading at Service.
//
// Simplifications: `required` holds the fields whose json tag has no omitempty (upstream's comes from comments that
// are not in the compiled types); enumerations are not listed; list types are those that patch tags imply.
package openapi
