package isa

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed opcodes.tsv
var tableText string

var (
	opcodes  []*Opcode
	byName   = map[string]*Opcode{}
	byFormat [EXP + 1][]*Opcode // home encoding, by opcode number
	byWide   [1024]*Opcode      // VOP3, by opcode number
)

var formatNames = [...]string{
	SOP2: "SOP2", SOPK: "SOPK", SOP1: "SOP1", SOPC: "SOPC", SOPP: "SOPP", SMEM: "SMEM", VOP2: "VOP2", VOP1: "VOP1",
	VOPC: "VOPC", VINTRP: "VINTRP", VOP3A: "VOP3", VOP3B: "VOP3B", DS: "DS", FLAT: "FLAT", MUBUF: "MUBUF",
	MTBUF: "MTBUF", MIMG: "MIMG", EXP: "EXP",
}

// String returns the format's name in the ISA documentation.
func (f Format) String() string {
	if int(f) < len(formatNames) && formatNames[f] != "" {
		return formatNames[f]
	}
	return "invalid"
}

// Opcodes returns all rows of the table; row i has Index i. The slice must not be changed.
func Opcodes() []*Opcode { return opcodes }

// OpcodeByName returns the first row with this mnemonic, nil where there is none.
func OpcodeByName(name string) *Opcode { return byName[name] }

func init() {
	for number, line := range strings.Split(tableText, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		op, err := parseRow(line)
		if err != nil {
			panic(fmt.Sprintf("isa: opcodes.tsv line %d: %v", number+1, err))
		}
		addRow(op)
	}
}

func addRow(op *Opcode) {
	op.Index = len(opcodes)
	opcodes = append(opcodes, op)
	if byName[op.Name] == nil {
		byName[op.Name] = op
	}
	if op.HasBase {
		rows := byFormat[op.Format]
		for len(rows) <= int(op.Code) {
			rows = append(rows, nil)
		}
		rows[op.Code] = op
		byFormat[op.Format] = rows
	}
	if op.HasWide {
		byWide[op.WideCode()] = op
	}
}

func parseRow(line string) (*Opcode, error) {
	column := strings.Split(line, "\t")
	if len(column) != 9 {
		return nil, fmt.Errorf("9 columns expected, got %d", len(column))
	}
	format, err := parseFormat(column[0])
	if err != nil {
		return nil, err
	}
	code, err := strconv.ParseUint(column[1], 10, 16)
	if err != nil {
		return nil, err
	}
	op := &Opcode{Name: column[2], Format: format, Code: uint16(code), Source: column[8]}
	op.HasBase = format != VOP3A
	op.HasWide = column[4] != "-"
	if op.Base, err = parseOperands(column[3]); err != nil {
		return nil, err
	}
	if op.Wide, err = parseOperands(column[4]); err != nil {
		return nil, err
	}
	parseModifiers(op, column[5])
	parseClasses(op, column[6])
	if err := parseFlags(op, column[7]); err != nil {
		return nil, err
	}
	op.Unit = unitOf(op)
	deriveSlots(op)
	return op, nil
}

func parseFormat(name string) (Format, error) {
	for f, n := range formatNames {
		if n == name {
			return Format(f), nil
		}
	}
	return FormatInvalid, fmt.Errorf("unknown format %q", name)
}

func parseOperands(text string) ([]Operand, error) {
	if text == "-" || text == "." {
		return nil, nil
	}
	var operands []Operand
	for _, word := range strings.Fields(text) {
		if word == "vcc" {
			operands = append(operands, Operand{Role: 'v', Words: 2})
			continue
		}
		operand := Operand{Role: word[0]}
		word = word[1:]
		switch {
		case strings.HasSuffix(word, "h"):
			operand.Constant, word = ConstantF16, word[:len(word)-1]
		case strings.HasSuffix(word, "w"):
			operand.Constant, word = ConstantInt16, word[:len(word)-1]
		}
		if word != "" {
			words, err := strconv.Atoi(word)
			if err != nil {
				return nil, err
			}
			operand.Words = uint8(words)
		}
		if operand.Words == 2 && operand.Constant == Constant32 {
			operand.Constant = Constant64
		}
		operands = append(operands, operand)
	}
	return operands, nil
}

func parseModifiers(op *Opcode, text string) {
	sources := func(list string) (mask uint8) {
		for _, letter := range list {
			mask |= 1 << (letter - 'a')
		}
		return mask
	}
	for _, item := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(item, "=")
		switch key {
		case "neg":
			op.NegMask = sources(value)
		case "abs":
			op.AbsMask = sources(value)
		case "sext":
			op.SextMask = sources(value)
		case "clamp":
			op.Clamp = true
		case "omod":
			op.OMod = true
		case "sdst":
			op.HasSDst = true
		}
	}
}

func parseClasses(op *Opcode, text string) {
	for i := range op.Slots {
		op.Slots[i].SGPR, op.Slots[i].Inline = true, true
		switch op.Format {
		case VOP1, VOP2, VOPC, VOP3A, VINTRP:
			op.Slots[i].VGPR = true
		}
	}
	for _, item := range strings.Split(text, ",") {
		if item == "" || item == "-" {
			continue
		}
		slot := &op.Slots[item[0]-'a']
		slot.VGPR = strings.Contains(item[1:], "v")
		slot.SGPR = strings.Contains(item[1:], "s")
		slot.Inline = strings.Contains(item[1:], "i")
	}
}

func deriveSlots(op *Opcode) {
	for _, operands := range [][]Operand{op.Base, op.Wide} {
		for _, operand := range operands {
			switch operand.Role {
			case 'a', 'b', 'c':
				slot := &op.Slots[operand.Role-'a']
				slot.Words, slot.Constant = operand.Words, operand.Constant
			case 'd':
				op.DstWords = operand.Words
			case 'r':
				op.DstWords, op.DstScalar = operand.Words, true
			case 'e':
				op.SDstWords = operand.Words
			}
		}
	}
}

func parseFlags(op *Opcode, text string) error {
	if text == "-" {
		return nil
	}
	flags := map[byte]*bool{
		's': &op.HasSDWA, 'd': &op.HasDPP, 'b': &op.branches, 'r': &op.refused, 'a': &op.isAtomic, 'c': &op.comparesAndSwaps,
		'2': &op.TwoOffsets, 'g': &op.globalOnly, 'l': &op.localOnly, 'z': &op.bit25, 'm': &op.loadsToLDS, 'h': &op.takesD16,
	}
	for i := range text {
		flag := flags[text[i]]
		if flag == nil {
			return fmt.Errorf("unknown flag %q", text[i])
		}
		*flag = true
	}
	return nil
}

func unitOf(op *Opcode) Unit {
	switch {
	case op.branches:
		return UnitBranch
	case op.Format == SOPP:
		return UnitSpecial
	case op.Format == DS:
		return UnitLDS
	}
	switch op.Format {
	case SOP2, SOPK, SOPC, SOP1, SMEM:
		return UnitScalar
	case FLAT, MUBUF, MTBUF, MIMG, EXP:
		return UnitVMem
	}
	return UnitVALU
}
