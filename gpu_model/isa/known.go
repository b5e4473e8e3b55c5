package isa

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

//go:embed known.tsv
var knownText string

// Known is one of the instructions that LLVM 16 knows for gfx803, in one encoding.
type Known struct {
	Encoding string // "SOP2", …, "VOP2 SDWA"
	Code     uint32 // opcode number in the encoding
	Name     string // LLVM's mnemonic, with the suffix of the encoding
	Example  []byte // one such instruction
}

// KnownInstructions returns LLVM's list of the instructions of gfx803. It comes from LLVM (known.tsv names the command), not from the
// opcode table.
func KnownInstructions() []Known {
	var list []Known
	for number, line := range strings.Split(strings.TrimSpace(knownText), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		k, err := parseKnown(line)
		if err != nil {
			panic(fmt.Sprintf("isa: known.tsv line %d: %v", number+1, err))
		}
		list = append(list, k)
	}
	return list
}

func parseKnown(line string) (Known, error) {
	column := strings.Split(line, "\t")
	if len(column) != 4 {
		return Known{}, fmt.Errorf("4 columns expected, got %d", len(column))
	}
	code, err := strconv.ParseUint(column[1], 10, 32)
	if err != nil {
		return Known{}, err
	}
	k := Known{Encoding: column[0], Code: uint32(code), Name: column[2]}
	for _, field := range strings.Fields(column[3]) {
		word, err := strconv.ParseUint(field, 16, 32)
		if err != nil {
			return Known{}, err
		}
		k.Example = binary.LittleEndian.AppendUint32(k.Example, uint32(word))
	}
	return k, nil
}

// Decoded reports whether the opcode table has the instruction: whether its example decodes, under the same name.
func (k *Known) Decoded() bool {
	in, err := Decode(k.Example)
	return err == nil && in.Mnemonic() == k.Name
}
