package emu

import (
	"fmt"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/isa"
	"github.com/spartan-cosim/spartan-cosim/gpu_model/simd"
)

// Program is a kernel's code, decoded once. Ops has one entry a dword of code; entries in the middle of an
// instruction and words that do not decode hold an Op whose Execute faults the wavefront with a sentence that names
// the PC and the word.
type Program struct {
	Name string
	Base uint64 // device address of dword 0
	// Entry is the dword index of the kernel's first instruction.
	Entry uint32
	// ordered tells that the program has atomics whose results depend on the order of work-groups.
	ordered bool
	// vgprs is the number of vector registers that a wavefront of the program has.
	vgprs int
	// idle is how many of them, from the last one back, its instructions can't touch.
	idle int
	// move and choose are simd's, for sources and results of fast forms.
	move, choose simd.Func
	memory       simd.Memory
	Ops          []Op
	Code         []byte
}

// maxCodeBytes bounds the memory that decoding takes: some 500 bytes a dword of code.
const maxCodeBytes = 4 << 20

// NewProgram decodes code, which lies at device address base, for wavefronts with vgprs vector registers. entry is
// the offset of the kernel's first instruction in bytes. Words that can't be executed fault when they are reached,
// not here: data may lie between instructions.
func NewProgram(name string, base uint64, code []byte, entry uint64, vgprs int) (*Program, error) {
	if len(code)%4 != 0 || entry%4 != 0 || entry >= uint64(len(code)) {
		return nil, fmt.Errorf("kernel %q: code is whole dwords with the entry inside, got %d bytes and entry 0x%x", name, len(code), entry)
	}
	level, err := currentLevel()
	if err != nil {
		return nil, err
	}
	if len(code) > maxCodeBytes {
		return nil, fmt.Errorf("kernel %q: its code and what lies beside it take %d bytes, at most %d are supported", name, len(code), maxCodeBytes)
	}
	p := &Program{Name: name, Base: base, Entry: uint32(entry / 4), Code: code, vgprs: vgprs, Ops: make([]Op, len(code)/4)}
	for pc := range p.Ops {
		p.Ops[pc] = p.bind(uint32(pc))
		p.ordered = p.ordered || p.Ops[pc].ordered()
	}
	p.findPlain()
	p.idle = p.vgprs - p.usedRegisters()
	p.bindFast(level)
	p.bindFastMemory(level)
	p.bindSkip()
	return p, nil
}

// bind decodes and resolves the instruction at dword pc.
func (p *Program) bind(pc uint32) Op {
	in, err := isa.Decode(p.Code[4*pc:])
	if err != nil {
		op := Op{Unit: isa.UnitSpecial, Next: pc + 1, refusal: err.Error(), Execute: refuse}
		op.Inst.Size = 4
		return op
	}
	op := Op{Inst: in, Unit: in.Op.Unit, Next: pc + uint32(in.Size/4), Cycles: 4,
		Flat: in.Format == isa.FLAT, Waits: in.Op.Name == "s_waitcnt", Imm: in.SImm16}
	if err := bindOp(&op, pc, p.vgprs); err != nil {
		op.refusal, op.Execute, op.Address, op.Perform = err.Error(), refuse, nil, nil
	}
	return op
}

// refuse is the Execute of whatever the machine can't do.
func refuse(w *Wavefront, op *Op) {
	w.PC = op.Next
	w.Fail(op, "%s", op.refusal)
}

// ordered tells that the result of the instruction can depend on the order in which work-groups run.
func (op *Op) ordered() bool {
	return op.mem != nil && (op.mem.kind == AccessAtomic || op.mem.kind == AccessAtomicReturn)
}

// executor resolves the operands of one instruction and sets its Execute. An error says why this machine refuses it.
type executor func(op *Op) error

// executors has one entry an opcode; init functions beside the instructions fill it.
var executors = make([]executor, len(isa.Opcodes()))

// register enters the executor of an instruction.
func register(name string, e executor) {
	op := isa.OpcodeByName(name)
	if op == nil {
		panic("emu: no instruction " + name + " is in the opcode table")
	}
	for _, row := range isa.Opcodes()[op.Index:] { // a name can stand in several formats or numbers
		if row.Name == name {
			executors[row.Index] = e
		}
	}
}

// Implements reports whether the emulator executes an instruction of the opcode table.
func Implements(row *isa.Opcode) bool { return executors[row.Index] != nil }

func bindOp(op *Op, pc uint32, vgprs int) error {
	row := op.Inst.Op
	if row.Refused() {
		return fmt.Errorf("%s is a graphics instruction, which this machine does not execute", row.Name)
	}
	e := executors[row.Index]
	if e == nil {
		return fmt.Errorf("%s is not executed by this machine", row.Name)
	}
	op.Target = uint32(int64(op.Next) + int64(int16(op.Inst.SImm16)))
	if err := e(op); err != nil {
		return err
	}
	if need := op.registers(); need > vgprs {
		return fmt.Errorf("it uses v%d, the kernel's header allocates %d vector registers", need-1, vgprs)
	}
	return nil
}

// registers returns the number of vector registers, counted from v0, that the instruction needs.
func (op *Op) registers() int {
	if op.mem != nil {
		return op.mem.registers
	}
	need := 0
	count := func(r isa.Reg, words uint8) {
		if r.IsVGPR() {
			need = max(need, r.VGPR()+int(words))
		}
	}
	row := op.Inst.Op
	count(op.Inst.Dst, row.DstWords)
	for i, r := range op.Inst.Src {
		count(r, max(row.Slots[i].Words, 1))
	}
	return need
}

// Refusal returns why the machine does not execute the instruction at the start of code, "" where it does.
func Refusal(code []byte) string {
	p := Program{Code: code, vgprs: 256}
	op := p.bind(0)
	return op.refusal
}
