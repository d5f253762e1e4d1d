package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"coracle/authn/pki"
)

// shownCertificate is what was found, where, and what is thought of it.
type shownCertificate struct {
	Source    string   `json:"source"`
	Protocol  string   `json:"protocol,omitempty"`  // of a live endpoint
	Presented []string `json:"presented,omitempty"` // subjects of the whole chain
	pki.Judgement
}

func pkiShowCommand() *cobra.Command {
	var files certificateFiles
	var out connection
	var name string
	cmd := &cobra.Command{
		Use:   "show NAME | FILE | HOST:PORT",
		Short: "Read a certificate, a kubeconfig or a live endpoint, and judge it",
		Long: `Read a certificate and judge it as whoever is shown it would: is it signed by an authority of this cluster, is it for
what it is used for, for that name, and in force?

NAME is one of those that coracle pki list has; FILE holds PEM, or is a kubeconfig, of which what its current context uses is
judged: certificate, key and authority, in it or in files that it names. Where there is no cluster, files and endpoints are read
all the same, and who signed them has a question mark. From HOST:PORT is taken what is served there, and
nothing is sent. What cannot be judged by looking, such as a token, has a question mark. The exit code is 1 when something is
wrong.`,
		Example: `  coracle pki show apiserver
  coracle pki show ~/.kube/config
  coracle pki show 127.0.0.1:6443 --name kubernetes.default.svc`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	files.addFlags(f)
	f.StringVar(&name, "name", "", "host name or IP address that it is to be for (default, of an endpoint: HOST)")
	f.StringVarP(&out.output, "output", "o", "", "json or yaml; text for people otherwise")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := out.checkOutput(); err != nil {
			return err
		}
		r, err := files.rotation()
		if err != nil {
			return err
		}
		q := pki.Question{Usage: x509.ExtKeyUsageAny, Name: name, Now: time.Now()}
		q.Authorities, err = pki.Authorities(r.Dir)
		nowhere := errors.Is(err, pki.ErrNoAuthority) && files.dataDir == "" // files and endpoints can be read all the same
		if err != nil && !nowhere {
			return err
		}
		if _, no := os.Stat(args[0]); nowhere && no != nil && !strings.Contains(args[0], ":") {
			return err
		}
		shown := shownCertificate{Source: args[0]}
		if err := shown.find(cmd.Context(), r, args[0], q); err != nil {
			return err
		}
		done, err := out.print(cmd.OutOrStdout(), shown)
		if !done {
			tellCertificate(cmd.OutOrStdout(), shown)
		}
		if err == nil && !shown.Good() {
			err = fmt.Errorf("%s is not as it should be", args[0])
		}
		return err
	}
	return cmd
}

// find reads what is meant, and judges it by what it is used for.
func (s *shownCertificate) find(ctx context.Context, r pki.Rotation, what string, q pki.Question) error {
	path := r.FileOf(what)
	if path == "" {
		path = what
	}
	judgement, chain, err := pki.JudgeFile(path, q)
	if _, no := os.Stat(path); errors.Is(no, os.ErrNotExist) {
		if host, _, no := net.SplitHostPort(what); no == nil {
			return s.dial(ctx, host, what, q)
		}
		return fmt.Errorf("%q is neither a certificate of this cluster, nor a file, nor HOST:PORT%s", what, suggestion(what, r.Names()))
	}
	if err != nil {
		return fmt.Errorf("%s cannot be shown: %w", path, err)
	}
	s.Source = path
	s.judged(judgement, chain)
	return nil
}

func (s *shownCertificate) judged(j pki.Judgement, chain []*x509.Certificate) {
	s.Judgement = j
	for _, c := range chain {
		s.Presented = append(s.Presented, c.Subject.String())
	}
}

// dialPatience is how long an endpoint has to answer.
const dialPatience = 10 * time.Second

// dial takes the chain that an endpoint serves.
func (s *shownCertificate) dial(ctx context.Context, host, address string, q pki.Question) error {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	if q.Usage = x509.ExtKeyUsageServerAuth; q.Name == "" {
		q.Name = host
	}
	dialer := tls.Dialer{Config: &tls.Config{
		InsecureSkipVerify: true, // it is judged, not trusted: nothing is sent
		ServerName:         q.Name,
		NextProtos:         []string{"h2", "http/1.1"},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s does not speak TLS with us: %w", address, err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	s.Protocol = strings.TrimSpace(fmt.Sprintf("%s %s %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), state.NegotiatedProtocol))
	s.judged(pki.Judge(state.PeerCertificates, q), state.PeerCertificates)
	return nil
}

func tellCertificate(w io.Writer, s shownCertificate) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-9s %s\n", name, printable(text, false))
		}
	}
	line("source", s.Source)
	line("protocol", s.Protocol)
	line("subject", s.Subject)
	line("issuer", s.Issuer)
	line("serial", s.Serial)
	line("names", strings.Join(s.Names, ", "))
	line("usages", strings.Join(s.Usages, ", "))
	if len(s.Presented) > 0 {
		line("begins", s.Begins.UTC().Format(time.RFC3339))
		line("ends", s.Ends.UTC().Format(time.RFC3339))
	}
	for n, subject := range s.Presented {
		if n > 0 {
			line("with", subject)
		}
	}
	for _, f := range s.Findings {
		verdict := "good"
		switch {
		case f.Unknown:
			verdict = "?"
		case !f.Good:
			verdict = "WRONG"
		}
		fmt.Fprintf(w, "%-9s %-5s %s\n", f.Check, verdict, printable(f.Says, false))
	}
}
