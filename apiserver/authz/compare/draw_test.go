package compare

import "math/rand/v2"

// draw makes random choices; the same seed makes the same.
type draw struct{ *rand.Rand }

func seeded(seed int) draw { return draw{rand.New(rand.NewPCG(uint64(seed), 7))} }

func (d draw) one(of ...string) string { return of[d.IntN(len(of))] }

// some returns one to atMost of the words, some perhaps twice.
func (d draw) some(atMost int, of ...string) []string {
	var words []string
	for range 1 + d.IntN(atMost) {
		words = append(words, d.one(of...))
	}
	return words
}

// chance is true once in n times.
func (d draw) chance(n int) bool { return d.IntN(n) == 0 }
