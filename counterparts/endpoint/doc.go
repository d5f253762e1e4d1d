// Package endpoint is where a counterpart listens: an address of this machine, with a certificate of its own.
//
// Each counterpart has a directory with tls.crt and tls.key, made when they are missing or over. The certificate is its
// own authority: whoever is to trust the counterpart is given tls.crt. The file url says where it is. Start reading at Open.
package endpoint
