package corpus

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sort"
	"strings"
)

// How many words each opcode number of each encoding gets.
const (
	probes     = 64 // to find out whether LLVM knows the number at all
	candidates = 200
	flipped    = 4 // of the instructions found, so many have each of their bits flipped in turn

	keptValid   = 40
	keptInvalid = 4 // beside valid ones
	keptUnknown = 1 // where LLVM knows no instruction
	randomWords = 20000
	keptRandom  = 3000
)

// Form is one of LLVM's instructions in one encoding.
type Form struct {
	Encoding string   // "SOP2", …, "VOP2 SDWA"
	Code     uint32   // opcode number in the encoding
	Name     string   // LLVM's mnemonic, with the suffix of the encoding
	Words    []uint32 // one such instruction, with few bits set
}

// String returns the form as a line of known.tsv.
func (f Form) String() string {
	return fmt.Sprintf("%s\t%d\t%s\t%s", f.Encoding, f.Code, f.Name, strings.Trim(fmt.Sprintf("%08x", f.Words), "[]"))
}

// Exploration is what LLVM says of the words that one seed gives.
type Exploration struct {
	Forms   []Form    // the instructions that LLVM knows
	live    [][]Entry // for each of them
	unknown [][]Entry // for each opcode number without an instruction
	random  []Entry
	choice  *rand.Rand
}

// Explore asks LLVM for the text of instructions with random operands, modifiers and literals, for every opcode number of every
// encoding, of their neighbours at one bit's distance, and of words that are random altogether.
func Explore(seed uint64) (*Exploration, error) {
	r := rand.New(rand.NewPCG(seed, 0x5350415254414e))
	x := &Exploration{choice: r}
	slots := allSlots()
	tried, err := fill(slots, func(s slot) (words [][]uint32) {
		for range probes {
			words = append(words, s.make(r, s.code))
		}
		return words
	})
	if err != nil {
		return nil, err
	}
	var live []slot
	for i, list := range tried {
		if valid, _ := split(list); len(valid) > 0 {
			live, x.live = append(live, slots[i]), append(x.live, list)
		} else {
			x.unknown = append(x.unknown, list)
		}
	}
	next := 0
	more, err := fill(live, func(s slot) (words [][]uint32) {
		for range candidates {
			words = append(words, s.make(r, s.code))
		}
		valid, _ := split(x.live[next])
		next++
		for _, i := range r.Perm(len(valid))[:min(flipped, len(valid))] {
			words = append(words, neighbours(valid[i].Words)...)
		}
		return words
	})
	if err != nil {
		return nil, err
	}
	for i := range x.live {
		own := append(x.live[i][:len(x.live[i]):len(x.live[i])], more[i][:candidates]...) // a flipped bit can lead to another instruction
		x.Forms = append(x.Forms, form(live[i], unique(own)))
		x.live[i] = append(own, more[i][candidates:]...)
	}
	var wild [][]uint32
	for len(wild) < randomWords {
		if words := []uint32{r.Uint32(), r.Uint32()}; !crashes(words) {
			wild = append(wild, words)
		}
	}
	x.random, err = judge(wild)
	return x, err
}

// All returns every word that was asked for.
func (x *Exploration) All() []Entry {
	var all []Entry
	for _, lists := range [][][]Entry{x.live, x.unknown, {x.random}} {
		for _, list := range lists {
			all = append(all, list...)
		}
	}
	return unique(all)
}

// Corpus returns a choice of the words that is worth keeping: mostly valid instructions, the same number of each.
func (x *Exploration) Corpus() []Entry {
	var kept []Entry
	keep := func(list []Entry, n int) {
		for _, i := range x.choice.Perm(len(list))[:min(n, len(list))] {
			kept = append(kept, list[i])
		}
	}
	for _, list := range x.live {
		valid, invalid := split(unique(list))
		keep(valid, keptValid)
		keep(invalid, keptInvalid)
	}
	for _, list := range x.unknown {
		keep(list, keptUnknown)
	}
	keep(x.random, keptRandom)
	return unique(kept)
}

// neighbours returns the words at one bit's distance.
func neighbours(words []uint32) [][]uint32 {
	var all [][]uint32
	for bit := range 32 * len(words) {
		n := append([]uint32(nil), words...)
		n[bit/32] ^= 1 << (bit % 32)
		if len(n) == 1 {
			n = append(n, 0) // the neighbour can be longer
		}
		if !crashes(n) && n[0] != markWord {
			all = append(all, n)
		}
	}
	return all
}

// fill makes words for each slot and asks LLVM for their text.
func fill(slots []slot, words func(s slot) [][]uint32) ([][]Entry, error) {
	var all [][]uint32
	ends := make([]int, len(slots))
	for i, s := range slots {
		all = append(all, words(s)...)
		ends[i] = len(all)
	}
	entries, err := judge(all)
	if err != nil {
		return nil, err
	}
	lists := make([][]Entry, len(slots))
	begin := 0
	for i, end := range ends {
		lists[i] = entries[begin:end:end]
		begin = end
	}
	return lists, nil
}

// judge asks LLVM for the text of each instruction.
func judge(words [][]uint32) ([]Entry, error) {
	texts, err := Disassemble(words)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(words))
	for i := range words {
		entries[i] = Entry{words[i], texts[i]}
	}
	return entries, nil
}

func split(list []Entry) (valid, invalid []Entry) {
	for _, e := range list {
		if e.Text != "" {
			valid = append(valid, e)
		} else {
			invalid = append(invalid, e)
		}
	}
	return valid, invalid
}

// form describes a slot by the one of its instructions with the fewest bits set of which LLVM has nothing to say in a comment.
func form(s slot, list []Entry) Form {
	f := Form{Encoding: s.encoding, Code: s.code}
	best := 0
	for _, e := range list {
		if e.Text == "" {
			continue
		}
		cost := 0
		for _, w := range e.Words {
			cost += bits.OnesCount32(w)
		}
		if strings.Contains(e.Text, "/*") || strings.HasSuffix(s.encoding, "SDWA") && e.Words[1]>>11&3 == 3 {
			cost += 1000 // LLVM has a comment, or would have one to the undefined destination mode 3
		}
		if f.Words == nil || cost < best {
			f.Name, _, _ = strings.Cut(e.Text, " ")
			f.Words, best = e.Words, cost
		}
	}
	return f
}

// unique sorts entries by their words, which compresses best, and drops repetitions.
func unique(entries []Entry) []Entry {
	type keyed struct {
		key string
		Entry
	}
	list := make([]keyed, len(entries))
	for i, e := range entries {
		list[i] = keyed{fmt.Sprintf("%08x", e.Words), e}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].key < list[j].key })
	var kept []Entry
	for i := range list {
		if i == 0 || list[i].key != list[i-1].key {
			kept = append(kept, list[i].Entry)
		}
	}
	return kept
}
