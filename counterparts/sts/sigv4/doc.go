// Package sigv4 signs requests as Amazon Web Services want them signed, and verifies such signatures: Signature Version 4,
// as described in the IAM user guide. Who has a secret key proves it without showing it.
//
// What is signed is a text that both sides make of the request (its canonical form): method, path, query, some headers, a hash of
// the body. The key is derived from the secret by day, region and service, so that it is of use nowhere else.
//
// Nouns: Credentials (an access key: its id is public, its secret is not), Scope (what a signature is good for), Signed (what a
// request says of its signature). Start reading at Presign, then at Parse and Signed.By.
//
// Simplifications: requests are to the path /, as are all to services with the query protocol, such as STS. Of the algorithms there
// is AWS4-HMAC-SHA256 alone. Signed headers have to be in order, as all clients send them.
package sigv4
