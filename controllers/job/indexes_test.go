package job

import "testing"

func TestIndexes(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want string
	}{
		{"", 10, ""},
		{"3", 10, "3"},
		{"1,2", 10, "1,2"},
		{"1-3,5", 10, "1-3,5"},
		{"1,2,3", 10, "1-3"},
		{"1-30", 4, "1-3"},
		{"a,2,b-c,4-x,-1", 10, "2"},
	} {
		t.Run(test.text, func(t *testing.T) {
			if got := parseIndexes(test.text, test.n).String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Its text comes from a status that anybody with the right to write it can make up.
func FuzzParseIndexes(f *testing.F) {
	f.Add("1-3,5", 10)
	f.Add("9999999999-1,--,1-", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = max(min(n, 1000), 0)
		set := parseIndexes(text, n)
		if again := parseIndexes(set.String(), n); again.String() != set.String() {
			t.Errorf("%q is %q and then %q", text, set, again)
		}
	})
}
