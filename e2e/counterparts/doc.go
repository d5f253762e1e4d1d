// Package counterparts puts what others have made beside a running Coracle: Dex and oidc-provider as issuers, nginx as an authenticating
// proxy, openssl for certificates and for a look at TLS, and the Python and JavaScript clients.
//
// Each test needs something installed; `make counterparts` installs it where it can. A test whose counterpart is not there says
// so and is skipped, unless COUNTERPARTS=all, as under make: then it fails.
//
// Start reading at cluster.
package counterparts
