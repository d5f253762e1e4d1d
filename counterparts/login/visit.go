package login

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// headTimeout bounds how long the browser may take over a request's head.
const headTimeout = 10 * time.Second

// Browser asks somebody to open the page, and waits until their browser comes back.
func Browser(out io.Writer) func(context.Context, func(string) string) (string, url.Values, error) {
	return func(ctx context.Context, page func(string) string) (string, url.Values, error) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, fmt.Errorf("wait for the browser: %w", err)
		}
		redirect := "http://" + listener.Addr().String() + "/callback"
		came := make(chan url.Values, 1)
		server := &http.Server{ReadHeaderTimeout: headTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/callback" {
				http.NotFound(w, r)
				return
			}
			select {
			case came <- r.URL.Query():
			default: // somebody else came first
			}
			io.WriteString(w, "You are logged in, and may close this page.\n")
		})}
		defer server.Close()
		go server.Serve(listener)
		fmt.Fprintf(out, "To log in, open this page in a browser on this machine:\n\n  %s\n\n", page(redirect))
		select {
		case back := <-came:
			return redirect, back, nil
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
}

// Form fills in the page without a browser.
func Form(client *http.Client, name, password string) func(context.Context, func(string) string) (string, url.Values, error) {
	return func(ctx context.Context, page func(string) string) (string, url.Values, error) {
		const redirect = "http://127.0.0.1:1/callback" // nobody goes there
		form := url.Values{"username": {name}, "password": {password}}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, page(redirect), strings.NewReader(form.Encode()))
		if err != nil {
			return "", nil, err
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := client.Do(request)
		if err != nil {
			return "", nil, fmt.Errorf("log in: %w", err)
		}
		defer answer.Body.Close()
		to, err := answer.Location()
		if err != nil {
			return "", nil, fmt.Errorf("the issuer did not log %q in: it answered %s", name, answer.Status)
		}
		return redirect, to.Query(), nil
	}
}
