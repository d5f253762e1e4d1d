package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// tokenCommand holds what there is to do with bearer tokens: look into those of any kind, and manage those with which
// new nodes join.
func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Look into bearer tokens, and manage bootstrap tokens"}
	cmd.AddCommand(tokenDecodeCommand(), tokenCreateCommand(), tokenListCommand(), tokenDeleteCommand())
	return cmd
}

func tokenDecodeCommand() *cobra.Command {
	var c connection
	var dataDir string
	cmd := &cobra.Command{
		Use:   "decode [TOKEN | FILE | -]",
		Short: "Show what a token says, what that means, and whether it is valid here",
		Long: `Show what a token says, what each part means, whether it is valid here, and until when.

The token is an argument, a file, or standard input; as an argument it ends in the shell's history.
Whether it is valid is asked of the cluster, by a TokenReview. Where none can be asked, the signature is checked
against DATA-DIR/pki/sa.pub. Nothing is sent to the address that the token names as its issuer.

The signature is not shown: header and claims are no secret, but the whole is a credential.`,
		Example: `  kubectl create token robot | coracle token decode

  coracle token decode ~/.coracle/default/nodes/node-1/pods/UID/volumes/.../token -o json`,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	c.addClusterFlags(f)
	f.StringVarP(&c.output, "output", "o", "", "json or yaml; text for people otherwise")
	f.StringVar(&dataDir, "data-dir", "", "directory of the cluster whose key is tried when none can be asked (default ~/.coracle/default)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		raw, err := readToken(cmd.InOrStdin(), args)
		if err != nil {
			return err
		}
		t, err := decodeToken(raw)
		if err != nil {
			return err
		}
		if t.Here, err = validHere(cmd.Context(), &c, dataDir, raw, t); err != nil {
			return err
		}
		if done, err := c.print(cmd.OutOrStdout(), t); done {
			return err
		}
		tellToken(cmd.OutOrStdout(), t, time.Now())
		return nil
	}
	return cmd
}

// maxTokenFile bounds what is read as a token, in bytes.
const maxTokenFile = 64 << 10

// readToken finds the token. What looks like one is never taken for the name of a file.
func readToken(stdin io.Reader, args []string) (string, error) {
	source, from := stdin, "standard input"
	if len(args) == 1 && args[0] != "-" {
		if looksSigned(args[0]) {
			return args[0], nil
		}
		file, err := os.Open(args[0])
		if errors.Is(err, os.ErrNotExist) { // it may be a secret: it is not repeated
			return "", errors.New("the argument is neither a JSON Web Token, which has three parts with dots between them, nor a file")
		}
		if err != nil {
			return "", err
		}
		defer file.Close()
		source, from = file, args[0]
	}
	data, err := io.ReadAll(io.LimitReader(source, maxTokenFile+1))
	switch raw := strings.TrimSpace(string(data)); {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", from, err)
	case raw == "":
		return "", fmt.Errorf("%s is empty, and should hold a token", from)
	case len(data) > maxTokenFile:
		return "", fmt.Errorf("%s holds more than 64 KiB, which no token has", from)
	default:
		return strings.TrimPrefix(raw, "Bearer "), nil
	}
}

func looksSigned(s string) bool {
	return strings.Count(s, ".") == 2 && strings.HasPrefix(s, "eyJ") // {" in base64
}

// tellToken writes it for people.
func tellToken(w io.Writer, t *decodedToken, now time.Time) {
	width := 0
	parts := []struct {
		title string
		lines []claimLine
	}{{"Header", headerLines(t)}, {"Claims", claimLines(t, now)}}
	for _, p := range parts {
		for _, l := range p.lines {
			width = max(width, len(l.name))
		}
	}
	for _, p := range parts {
		fmt.Fprintln(w, p.title)
		for _, l := range p.lines {
			fmt.Fprintf(w, "  %-*s  %s\n", width, l.name, l.value)
			if l.means != "" {
				fmt.Fprintf(w, "  %-*s    %s\n", width, "", l.means)
			}
		}
	}
	fmt.Fprintf(w, "Signature\n  not shown: whoever has it all is %s\n", cmp.Or(printable(t.text("sub"), false), "who it names"))
	fmt.Fprintf(w, "Here\n")
	for line := range strings.Lines(t.Here.Says) {
		fmt.Fprintf(w, "  %s\n", strings.TrimRight(line, "\n"))
	}
}

// sortedKeys are the claims with the usual ones first.
func sortedKeys(m map[string]any, first []string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	rank := func(k string) int {
		if i := slices.Index(first, k); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b)) })
	return keys
}
