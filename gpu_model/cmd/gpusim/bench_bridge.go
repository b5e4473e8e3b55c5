package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/cosim"
)

// bridgeRound is one round of measurements, bridge and bare stream one after the other.
type bridgeRound struct {
	PostedPerSecond    float64 `json:"posted_per_s"`
	RawPostedPerSecond float64 `json:"raw_posted_per_s"`
	RoundTripUS        float64 `json:"round_trip_us_median"`
	RawRoundTripUS     float64 `json:"raw_round_trip_us_median"`
}

// benchBridge measures the bridge against a bare gRPC stream. The servers run already; the rounds are printed as JSON.
func benchBridge(arguments []string) int {
	flags := flag.NewFlagSet("bench-bridge", flag.ContinueOnError)
	monitor := flags.String("monitor", "", "address of a monitor that does nothing")
	engine := flags.String("compaction", "", "address of a compaction engine")
	echo := flags.String("echo", "", "address of a server that answers every message with a short one")
	directory := flags.String("private", "", "the session's private directory")
	rounds := flags.Int("rounds", 5, "rounds of measurements")
	events := flags.Int("events", 1<<18, "posted events a round")
	batch := flags.Int("batch", 4096, "events a batch")
	requests := flags.Int("requests", 500, "requests a round")
	if flags.Parse(arguments) != nil {
		return 2
	}
	var all []bridgeRound
	for range *rounds {
		round, err := bridgeOnce(*monitor, *engine, *echo, *directory, *events, *batch, *requests)
		if err != nil {
			fmt.Fprintf(os.Stderr, "gpusim bench-bridge: %v\n", err)
			return 3
		}
		all = append(all, round)
	}
	_ = json.NewEncoder(os.Stdout).Encode(all)
	return 0
}

func bridgeOnce(monitor, engine, echo, directory string, events, batch, requests int) (r bridgeRound, err error) {
	if r.PostedPerSecond, err = cosim.MeasurePosted(monitor, directory, events, batch); err != nil {
		return r, err
	}
	if r.RawPostedPerSecond, err = cosim.MeasureRawPosted(echo, events, batch); err != nil {
		return r, err
	}
	bridge, raw, err := cosim.MeasureRoundTrips(engine, echo, requests)
	if err != nil {
		return r, err
	}
	r.RoundTripUS, r.RawRoundTripUS = medianUS(bridge), medianUS(raw)
	return r, nil
}

func medianUS(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Nanoseconds()) / 1000
}
