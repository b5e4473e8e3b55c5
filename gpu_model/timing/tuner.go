package timing

import "time"

// tuner decides whether windows are shared out among host threads. Whether that pays depends on how fast the host's cores exchange cache
// lines, which in a virtual machine changes by a factor of five from one minute to the next, and on what else the host runs. So it is
// measured: in turn, a few windows are simulated in each way, then many in the faster one. The choice has no influence on results.
type tuner struct {
	shared  bool
	trial   bool       // the stretch under way is a trial of a way that was not the faster one
	windows int        // of the stretch under way
	length  int        // of it
	begin   time.Time  // when its first windows, which fetch what lies in the other cores' caches, were over
	steps   int        // of compute units since
	cost    [2]float64 // ns a step when it was measured last, alone and shared; 0 unknown
}

const (
	trialWindows = 24
	trialIgnored = 8
	chosenShort  = 400  // windows in the faster way, when the other is not much slower
	chosenLong   = 2000 // and when it is
	muchSlower   = 1.15
)

// count notes a window in which compute units made some steps.
func (t *tuner) count(steps int) {
	if steps < sharedWork {
		return
	}
	if t.length == 0 {
		*t = tuner{shared: true, trial: true, length: trialWindows}
	}
	t.windows++
	switch {
	case t.windows < trialIgnored:
	case t.windows == trialIgnored:
		t.begin, t.steps = time.Now(), 0
	default:
		t.steps += steps
		if t.windows == t.length {
			t.decide(float64(time.Since(t.begin).Nanoseconds()) / float64(t.steps))
		}
	}
}

// decide chooses the next stretch; cost is that of the one that ends.
func (t *tuner) decide(cost float64) {
	mode := 0
	if t.shared {
		mode = 1
	}
	t.cost[mode] = cost
	t.windows = 0
	if other := t.cost[1-mode]; other == 0 || !t.trial {
		t.shared, t.trial, t.length = !t.shared, true, trialWindows
		return
	}
	t.trial = false
	t.shared = t.cost[1] < t.cost[0]
	t.length = chosenShort
	if t.cost[0] > muchSlower*t.cost[1] || t.cost[1] > muchSlower*t.cost[0] {
		t.length = chosenLong
	}
}
