// Command compare sends one corpus of requests to the real kube-apiserver and to Coracle, and prints every
// difference in status, headers that matter, and body.
//
//	compare -real https://127.0.0.1:16443 -ours https://127.0.0.1:6443 -token admin corpus/*.txt
//	compare -etcd bin/etcd -kube-apiserver bin/kube-apiserver -coracle bin/coracle corpus/*.txt
//	compare -random 2000 -seed 7 ...
//	compare -kubectl bin/kubectl ... corpus/kubectl.txtar
//	compare -documents ../../apiserver/openapi/testdata/documents.txt ...
//
// The second form starts all three in a temporary directory. The third sends generated requests as well, of which the seed is
// printed, so that what it finds can be found again. The fourth compares what kubectl prints. The fifth writes what a
// test holds our OpenAPI documents to. What may differ (uids, times, versions, generated
// names, addresses) is normalised; differences that are meant to be there are listed in known.txt, with a reason.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path"
	"strings"
	"sync"
)

func main() {
	var o options
	flag.StringVar(&o.real.url, "real", "", "URL of a running kube-apiserver")
	flag.StringVar(&o.ours.url, "ours", "", "URL of a running Coracle")
	flag.StringVar(&o.real.token, "token", "admin", "bearer token of an administrator of both")
	flag.StringVar(&o.etcd, "etcd", "", "etcd to start")
	flag.StringVar(&o.apiserver, "kube-apiserver", "", "kube-apiserver to start")
	flag.StringVar(&o.coracle, "coracle", "", "coracle to start")
	flag.StringVar(&o.known, "known", "known.txt", "list of known differences")
	flag.BoolVar(&o.all, "all", false, "print known differences as well")
	flag.StringVar(&o.only, "only", "", "send all requests, and print those alone whose title contains this")
	flag.StringVar(&o.kubectl, "kubectl", "", "kubectl for the lines of .txtar files, which are left out without one")
	flag.IntVar(&o.random, "random", 0, "send so many generated requests as well")
	flag.Uint64Var(&o.seed, "seed", 0, "what the generated requests follow from; 0 draws one")
	flag.StringVar(&o.documents, "documents", "", "file to write hashes of kube-apiserver's OpenAPI documents to")
	flag.Parse()
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	o.ours.token, o.files = o.real.token, flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	differ, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
	if differ > 0 {
		os.Exit(1)
	}
}

type options struct {
	real, ours               server
	etcd, apiserver, coracle string
	known, only, kubectl     string
	documents                string
	all                      bool
	files                    []string
	random                   int
	seed                     uint64
}

// run compares all files and returns how many requests have an unexpected difference.
func run(ctx context.Context, o options) (int, error) {
	if o.apiserver != "" {
		end, err := startAll(ctx, &o)
		defer end()
		if err != nil {
			return 0, err
		}
	}
	if o.documents != "" {
		o.real.begin()
		o.ours.begin()
		if err := o.real.writeDocuments(ctx, o.documents); err != nil {
			return 0, err
		}
	}
	known, err := readKnown(o.known)
	if err != nil {
		return 0, err
	}
	var total, alike, expected, differ int
	type batch struct {
		file     string
		requests []request
	}
	var batches []batch
	var typed []string
	for _, file := range o.files {
		if path.Ext(file) == ".txtar" {
			typed = append(typed, file)
			continue
		}
		requests, err := readCorpus(file)
		if err != nil {
			return 0, err
		}
		batches = append(batches, batch{file, requests})
	}
	const together = 500 // so that what differs once does not differ for ever
	for from := 0; from < o.random; from += together {
		batches = append(batches, batch{"generated", randomRequests(min(together, o.random-from), o.seed+uint64(from/together))})
	}
	for _, b := range batches {
		file, requests := b.file, b.requests
		o.real.begin()
		o.ours.begin()
		for _, r := range requests {
			total++
			want, got, err := o.sendBoth(ctx, r)
			if err != nil {
				return 0, fmt.Errorf("%s: %q: %w", file, r.title, err)
			}
			differences := compare(want, got)
			unexpected := known.filter(r.title, differences)
			switch {
			case len(differences) == 0:
				alike++
				continue
			case len(unexpected) == 0:
				expected++
				if !o.all {
					continue
				}
			default:
				differ++
			}
			if !strings.Contains(r.title, o.only) {
				continue
			}
			fmt.Printf("%s: %s\n  %s %s\n", file, r.title, r.method, r.path)
			if file == "generated" {
				fmt.Printf("  %s\n", r.body)
			}
			for _, d := range differences {
				a, b := excerpts(d.real, d.ours)
				fmt.Printf("    %s\n      real %s\n      ours %s\n", d.path, a, b)
			}
		}
	}
	for _, k := range known {
		if !k.used && !strings.Contains(k.reason, "chance") {
			fmt.Printf("known.txt: no such difference any longer: %s %s (%s)\n", k.title, k.path, k.reason)
		}
	}
	if o.random > 0 {
		fmt.Printf("generated with -random %d -seed %d\n", o.random, o.seed)
	}
	fmt.Printf("%d requests: %d answered alike, %d with known differences, %d differ\n", total, alike, expected, differ)
	for _, file := range typed {
		if o.kubectl == "" {
			fmt.Printf("%s is left out: there is no kubectl\n", file)
			continue
		}
		total, otherwise, err := o.commands(ctx, file)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		fmt.Printf("%d commands of kubectl: %d print the same\n", total, total-otherwise)
		differ += otherwise
	}
	return differ, nil
}

// sendBoth asks both at the same time.
func (o *options) sendBoth(ctx context.Context, r request) (want, got answer, err error) {
	var failed error
	var asked sync.WaitGroup
	asked.Go(func() { want, failed = o.real.send(ctx, r) })
	got, err = o.ours.send(ctx, r)
	asked.Wait()
	switch {
	case failed != nil:
		err = fmt.Errorf("to kube-apiserver: %w", failed)
	case err != nil:
		err = fmt.Errorf("to coracle: %w", err)
	}
	return want, got, err
}
