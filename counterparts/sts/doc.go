// Package sts is a small Security Token Service of Amazon Web Services: it answers GetCallerIdentity, and so says who signed a
// request. Whoever signs such a request and hands it on proves who they are without showing their secret.
//
// Nouns: Service (the whole), caller (whose a key is: account, ARN, user id). Start reading at Service.ServeHTTP; what a
// signature is, package sigv4 tells.
//
// Simplifications: of the actions there is one. Keys, those of roles included, are in the file of people: nobody takes a role here
// (AssumeRole). Any region may be named in a signature. X-Amz-Expires is not looked at, as in AWS: a signature
// lasts fifteen minutes, whatever it says.
package sts
