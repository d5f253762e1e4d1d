// Package frontproxy is an authenticating proxy: it finds out who asks, by HTTP basic authentication, and tells the API server
// in headers. The server believes it because of the client certificate that it presents.
//
// What makes such a proxy safe is what it removes: whoever could send X-Remote-User through it would be anybody.
// Start reading at Proxy.
//
// Simplifications: headers are named as kubeadm configures them (X-Remote-User, -Uid, -Group, -Extra-), whatever the server's
// flags say.
package frontproxy
