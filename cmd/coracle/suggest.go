package main

import (
	"fmt"
	"strings"
)

// suggestion is the end of a sentence about an unknown setting: it names the one that was probably meant.
func suggestion(key string, known []string) string {
	best, distance := "", 3 // two slips are a slip; three are another word
	for _, k := range known {
		if d := edits(letters(key), letters(k)); d < distance && k != key {
			best, distance = k, d
		}
	}
	if best == "" {
		return "; `coracle up --help` lists them"
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// letters leaves out what spellings of one name differ in.
func letters(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
}

// edits is how many letters must be put in, left out or exchanged to make one word of the other (Levenshtein).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
