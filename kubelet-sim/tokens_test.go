package kubeletsim

import (
	"testing"
	"time"
)

func TestRefreshTime(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, test := range []struct {
		name    string
		life    time.Duration
		seconds *int64
		want    time.Duration // at the latest; at the earliest the jitter before it
	}{
		{"an hour", time.Hour, new(int64(3600)), 48 * time.Minute},
		{"a year is a day", 365 * 24 * time.Hour, new(int64(365 * 24 * 3600)), 24 * time.Hour},
		{"the server does not say how long", time.Hour, nil, 48 * time.Minute},
		{"issued a while ago", 30 * time.Minute, new(int64(3600)), 18 * time.Minute},
		{"expired already", -time.Minute, new(int64(600)), tokenShortest},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 20 {
				got := refreshTime(now, now.Add(test.life), test.seconds).Sub(now)
				if got > test.want || got < test.want-tokenJitter || got < tokenShortest {
					t.Fatalf("refresh after %v, want %v", got, test.want)
				}
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	a, err := newAddresses("10.1.2.99/30") // 10.1.2.96 to .99: two are left for pods
	if err != nil {
		t.Fatal(err)
	}
	a.reserve("old", "10.1.2.98")
	a.reserve("thief", "10.1.2.98")
	a.reserve("foreign", "192.168.0.1")
	a.reserve("none", "")
	first, err := a.take("new")
	if first != "10.1.2.99" || err != nil {
		t.Errorf("first %s, %v", first, err)
	}
	if again, _ := a.take("new"); again != first {
		t.Errorf("asked again: %s", again)
	}
	if old, _ := a.take("old"); old != "10.1.2.98" {
		t.Errorf("old %s", old)
	}
	if _, err := a.take("one too many"); err == nil || err.Error() != "no IP addresses available in range set: 10.1.2.96/30" {
		t.Errorf("error %v", err)
	}
	a.release("old")
	if next, err := a.take("next"); next != "10.1.2.98" || err != nil {
		t.Errorf("next %s, %v", next, err)
	}
	six, err := newAddresses("fd00:10::/64")
	if err != nil {
		t.Fatal(err)
	}
	if ip, err := six.take("p"); ip != "fd00:10::2" || err != nil {
		t.Errorf("IPv6: %s, %v", ip, err)
	}
}

func TestAddresses_AreReusedLate(t *testing.T) {
	a, err := newAddresses("10.244.0.0/24")
	if err != nil {
		t.Fatal(err)
	}
	one, _ := a.take("one")
	a.release("one")
	if two, _ := a.take("two"); two == one {
		t.Errorf("%s was given to the next pod at once", one)
	}
}
