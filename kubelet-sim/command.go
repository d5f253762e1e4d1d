package kubeletsim

import (
	"path"
	"strconv"
	"strings"
	"time"
)

// command is one of the few commands that Simulated carries out.
type command struct {
	name             string
	text             string        // echo: what to print
	duration         time.Duration // sleep
	number           int64         // exit: the code, -1 for that of the command before
	onlyAfterSuccess bool          // it follows &&
}

// parse understands a command line if Simulated can carry out all of it.
func parse(args []string) (script []command, ok bool) {
	if len(args) == 0 {
		return nil, false
	}
	switch path.Base(args[0]) {
	case "sh", "bash", "ash", "dash":
		if len(args) < 3 || strings.TrimLeft(args[1], "-ceux") != "" || !strings.HasSuffix(args[1], "c") {
			return nil, false
		}
		return parseScript(args[2])
	}
	c, ok := parseCommand(args)
	if !ok || c.name == "exit" { // which is no program, but a word of the shell
		return nil, false
	}
	return []command{c}, true
}

// parseScript understands commands joined by ; and && and line ends.
func parseScript(script string) (commands []command, ok bool) {
	words, ok := split(script)
	if !ok {
		return nil, false
	}
	var current []string
	after := false
	flush := func() bool {
		if len(current) == 0 {
			return true
		}
		c, ok := parseCommand(current)
		c.onlyAfterSuccess = after
		commands, current, after = append(commands, c), nil, false
		return ok
	}
	for _, word := range words {
		switch {
		case word.quoted || word.text != ";" && word.text != "&&":
			current = append(current, word.text)
		case !flush():
			return nil, false
		default:
			after = word.text == "&&"
		}
	}
	return commands, flush() && len(commands) > 0
}

type word struct {
	text   string
	quoted bool
}

// split takes a script apart into words as a shell does, as far as that needs no expansion.
func split(script string) (words []word, ok bool) {
	var text strings.Builder
	begun, quoted := false, false
	end := func() {
		if begun {
			words = append(words, word{text.String(), quoted})
		}
		text.Reset()
		begun, quoted = false, false
	}
	for i := 0; i < len(script); i++ {
		switch c := script[i]; c {
		case '\'', '"':
			length := strings.IndexByte(script[i+1:], c)
			if length < 0 {
				return nil, false
			}
			inner := script[i+1 : i+1+length]
			if c == '"' && strings.ContainsAny(inner, "$`\\") {
				return nil, false
			}
			text.WriteString(inner)
			begun, quoted = true, true
			i += length + 1
		case ' ', '\t':
			end()
		case ';', '\n':
			end()
			words = append(words, word{text: ";"})
		case '&':
			if !strings.HasPrefix(script[i:], "&&") {
				return nil, false
			}
			end()
			words = append(words, word{text: "&&"})
			i++
		case '$', '`', '\\', '|', '<', '>', '(', ')', '{', '}', '*', '?', '[', '#', '!', '~', '=':
			return nil, false
		default:
			text.WriteByte(c)
			begun = true
		}
	}
	end()
	return words, true
}

func parseCommand(words []string) (c command, ok bool) {
	c.name = path.Base(words[0])
	rest := words[1:]
	switch c.name {
	case "true", "false":
		return c, true
	case "echo":
		c.text = strings.Join(rest, " ") + "\n"
		if len(rest) > 0 && rest[0] == "-n" {
			c.text = strings.Join(rest[1:], " ")
		}
		return c, true
	case "exit":
		c.number = -1
		if len(rest) == 0 {
			return c, true
		}
		number, err := strconv.ParseUint(rest[0], 10, 32)
		c.number = int64(number) & 0xff // all that a process can say
		return c, err == nil && len(rest) == 1
	case "sleep":
		for _, word := range rest {
			d, ok := parseSleep(word)
			c.duration += d
			if !ok || c.duration > longestSleep {
				return c, false
			}
		}
		return c, len(rest) > 0
	}
	return c, false
}

// longestSleep is what counts as forever, which Simulated does not count down.
const longestSleep = 100 * 365 * 24 * time.Hour

// parseSleep understands 5, 0.5, 5s, 2m, 1h, 1d.
func parseSleep(word string) (time.Duration, bool) {
	unit, number := time.Second, word
	if n := len(word); n > 0 {
		if u, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[word[n-1]]; ok {
			unit, number = u, word[:n-1]
		}
	}
	value, err := strconv.ParseFloat(number, 64)
	ok := err == nil && value >= 0 && value*unit.Seconds() <= longestSleep.Seconds()
	if !ok {
		return 0, false
	}
	return time.Duration(value * float64(unit)), true
}
