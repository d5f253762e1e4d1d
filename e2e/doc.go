// Package e2e drives the binary as people do: with real kubectl, and with real clients.
//
// The scripts in testdata/script are the lessons: each runs against a server of its own. Besides the commands of
// github.com/rogpeppe/go-internal/testscript they have:
//
//	up [FLAG...]              start the server (again) on the script's data directory, and wait until it is ready
//	down                      stop it by SIGTERM; it must end within seconds and without an error
//	crash                     stop it by SIGKILL
//	kubectl ARG...            run kubectl as the administrator
//	as USER ARG...            run kubectl with the kubeconfig USER.conf in the script's directory
//	eventually REGEXP CMD...  run a command until its output matches
//	let NAME CMD...           run a command and keep its output in an environment variable
//	mode OCTAL FILE...        check the permissions of files
//	curl [FLAG...] URL        send a request; prints the status code, and then the body
//	log                       print what the server said, in all its runs
//	replace OLD NEW FILE      change a file
//	indent FILE WORD INTO     put a file in place of a word in another, indented as the word
//	certify [FLAG...] NAME    make NAME.crt and NAME.key, and NAME.conf for the command as
//	issuer [rotate]           start an OpenID Connect issuer, ISSUER, with issuer.crt; or give it another key
//	idtoken NAME CLAIMS       keep a token of that issuer in an environment variable
//	reviewer                  start a service that answers TokenReviews from people.json, with reviewer.conf
//
// kubectl is built from its Go module, in the nested modules under kubectl/; KUBECTL_MINOR chooses the version
// (default 1.37). Nothing need be installed but Go.
package e2e
