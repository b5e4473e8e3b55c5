package isa

import (
	"fmt"
	"strconv"
	"strings"
)

// Disassemble returns the text of the instruction at the start of code, as LLVM 16 writes it for gfx803, and its size in bytes. Code
// beyond the instruction is not looked at. Some words that no machine executes have a text (undefined DPP controls, constants in
// place of registers); Decode refuses those.
func Disassemble(code []byte) (string, int, error) {
	d, err := decodeAny(code)
	if err != nil {
		return "", 0, err
	}
	return d.inst.Text(), int(d.inst.Size), nil
}

// Text returns the instruction as LLVM 16 writes it for gfx803.
func (i *Inst) Text() string {
	w := writer{inst: i}
	w.WriteString(i.Mnemonic())
	operands := i.Op.Base
	if i.Format == VOP3A || i.Format == VOP3B {
		operands = i.Op.Wide
	}
	switch i.Format {
	case SMEM:
		w.smem()
	case DS:
		w.ds()
	case FLAT:
		w.flat()
	case MUBUF, MTBUF:
		w.buffer()
	case MIMG:
		w.mimg()
	case EXP:
		w.export()
	default:
		for _, operand := range operands {
			w.operand(operand)
		}
		w.modifiers()
	}
	return w.String()
}

// Mnemonic returns the instruction's name with LLVM's suffix for the encoding it was found in.
func (i *Inst) Mnemonic() string {
	op := i.Op
	switch {
	case len(op.Base) == 0 && len(op.Wide) == 0:
		return op.Name
	case i.SDWA != nil:
		if op.Format == VOPC {
			return op.Name
		}
		return op.Name + "_sdwa"
	case i.DPP != nil:
		return op.Name + "_dpp"
	case !op.HasBase || !op.HasWide:
		return op.Name
	case i.Format == VOP3A || i.Format == VOP3B:
		return op.Name + "_e64"
	}
	return op.Name + "_e32"
}

// writer builds the text of one instruction.
type writer struct {
	strings.Builder
	inst  *Inst
	count int // operands written
}

func (w *writer) next() {
	if w.count == 0 {
		w.WriteByte(' ')
	} else {
		w.WriteString(", ")
	}
	w.count++
}

func (w *writer) put(text string) {
	w.next()
	w.WriteString(text)
}

func (w *writer) operand(operand Operand) {
	i := w.inst
	switch operand.Role {
	case 'r', 'd':
		if i.Dst.IsVGPR() {
			w.put(register(i.Dst, operand.Words))
		} else {
			w.put(in(scalarClass(operand.Words), i.Dst, operand.Words))
		}
	case 'e':
		w.put(register(i.SDst, operand.Words))
	case 'v':
		w.put("vcc")
	case 'a', 'b', 'c':
		w.source(int(operand.Role-'a'), operand)
	case 'K':
		w.put(w.immediate())
	case 'L':
		if i.Format == VOP2 {
			w.put(hex(uint64(i.Lit)))
		} else {
			w.put(constant32(i.Lit))
		}
	case 'N':
		if i.SImm16 != 0 {
			w.put(strconv.Itoa(int(i.SImm16)))
		}
	case 'H':
		w.put(hardwareRegister(i.SImm16))
	case 'W':
		w.put(waitCounters(i.SImm16))
	case 'M':
		w.put(message(i.SImm16))
	case 'G':
		w.put(indexMode(i.SImm16))
	case 'T':
		w.put(fmt.Sprintf("attr%d.%c", i.Mem.Target>>2, "xyzw"[i.Mem.Target&3]))
	case 'P':
		w.put(parameter(i.Src[0]))
	}
}

// immediate writes the 16-bit immediate.
func (w *writer) immediate() string {
	i := w.inst
	switch {
	case i.Op.branches:
		return strconv.Itoa(int(i.SImm16))
	case i.Format == SOPK:
		return hex(uint64(i.SImm16))
	}
	return constant32(uint32(i.SImm16))
}

func hex(value uint64) string { return "0x" + strconv.FormatUint(value, 16) }

var registerNames = map[Reg]string{
	102: "flat_scratch_lo", 103: "flat_scratch_hi", 104: "xnack_mask_lo", 105: "xnack_mask_hi", 106: "vcc_lo", 107: "vcc_hi",
	108: "tba_lo", 109: "tba_hi", 110: "tma_lo", 111: "tma_hi", 124: "m0", 126: "exec_lo", 127: "exec_hi",
}

// laterNames are the registers that keep their name whatever their width, some of them on later machines only.
var laterNames = map[Reg]string{
	regNull: "null", 235: "src_shared_base", 236: "src_shared_limit", 237: "src_private_base", 238: "src_private_limit",
	239: "src_pops_exiting_wave_id", RegVCCZ: "src_vccz", RegExecZ: "src_execz", RegSCC: "src_scc",
}

var pairNames = map[Reg]string{102: "flat_scratch", 104: "xnack_mask", 106: "vcc", 108: "tba", 110: "tma", 126: "exec"}

// register writes a register of some dwords.
func register(r Reg, words uint8) string {
	words = max(words, 1)
	switch {
	case r.IsVGPR():
		return span("v", r.VGPR(), words)
	case r <= 101:
		return span("s", int(r), words)
	case r >= 112 && r <= 123:
		return span("ttmp", int(r)-112, words)
	case r == RegLDSDirect:
		return "src_lds_direct"
	}
	if name := laterNames[r]; name != "" {
		return name
	}
	if words >= 2 {
		return pairNames[r]
	}
	return registerNames[r]
}

// in writes a register where only those of one class may stand: what else is there is named, and numbers have no text.
func in(class string, r Reg, words uint8) string {
	if isInline(r) {
		return invalidImmediate
	}
	text := register(r, words)
	if laterNames[r] != "" || inClass(class, r) {
		return text
	}
	return text + "/*Invalid register, operand has '" + class + "' register class*/"
}

// inClass reports whether a register code stands for a register of a class; classes have LLVM's names.
func inClass(class string, r Reg) bool {
	switch class {
	case "SReg_32", "SReg_64":
		return !r.IsVGPR() && r != RegLDSDirect
	case "SReg_128":
		return !r.IsVGPR() && pairNames[r] == ""
	case "SReg_1_XEXEC", "SReg_64_XEXEC", "SReg_32_XM0_XEXEC":
		return !r.IsVGPR() && r != RegExecLo && r != RegExecHi && r != RegM0
	case "VRegOrLds_32":
		return r.IsVGPR() || r == RegLDSDirect
	}
	return r.IsVGPR()
}

// scalarClass names the class of scalar registers of some dwords.
func scalarClass(words uint8) string {
	switch words {
	case 4:
		return "SReg_128"
	case 2:
		return "SReg_64"
	}
	return "SReg_32"
}

// class names the class of registers that a source accepts, "" where it accepts whatever can be encoded.
func (w *writer) class(slot int) string {
	s := w.inst.Op.Slots[slot]
	switch {
	case s.VGPR && s.SGPR:
		return ""
	case s.isMask() && w.inst.Op.Format == VOP2:
		return "SReg_1_XEXEC"
	case !s.VGPR:
		return scalarClass(s.Words)
	case w.inst.Op.DstScalar:
		return "VRegOrLds_32"
	case s.Words == 4:
		return "VReg_128"
	}
	return "VGPR_32"
}

const invalidImmediate = "/*invalid immediate*/"

func span(kind string, first int, words uint8) string {
	if words == 1 {
		return kind + strconv.Itoa(first)
	}
	return kind + "[" + strconv.Itoa(first) + ":" + strconv.Itoa(first+int(words)-1) + "]"
}

// source writes a source with its input modifiers.
func (w *writer) source(slot int, operand Operand) {
	i := w.inst
	w.next()
	r := i.Src[slot]
	if i.Format == VOP2 && slot == 1 && i.Src[1] == RegLiteral { // v_madmk: the constant is written before
		r = i.Src[2]
	}
	text := w.value(r, operand)
	if class := w.class(slot); class != "" && !(isInline(r) && i.Op.Slots[slot].Inline) {
		text = in(class, r, operand.Words)
	}
	bit := uint8(1) << slot
	neg, abs := i.Neg&bit != 0, i.Abs&bit != 0
	if i.Sext&bit != 0 || i.SDWA != nil && (slot == 0 && i.SDWA.Src0Sext || slot == 1 && i.SDWA.Src1Sext) {
		text = "sext(" + text + ")"
	}
	if abs {
		text = "|" + text + "|"
	}
	switch {
	case neg && isInline(r) && !abs:
		text = "neg(" + text + ")"
	case neg:
		text = "-" + text
	}
	w.WriteString(text)
}

// value writes a source without its modifiers.
func (w *writer) value(r Reg, operand Operand) string {
	switch {
	case r == RegLiteral:
		return literalText(w.inst.Lit, operand)
	case r >= 128 && r <= 192:
		return strconv.Itoa(int(r) - 128)
	case r >= 193 && r <= 208:
		return strconv.Itoa(192 - int(r))
	case r >= 240 && r <= 248:
		return floatText(r, operand.Constant)
	}
	return register(r, operand.Words)
}

var floatNames = [...]string{"0.5", "-0.5", "1.0", "-1.0", "2.0", "-2.0", "4.0", "-4.0"}

func floatText(r Reg, kind ConstantType) string {
	if kind == ConstantInt16 {
		bits := [...]string{"0x3800", "0xb800", "0x3c00", "0xbc00", "0x4000", "0xc000", "0x4400", "0xc400", "0x3118"}
		return bits[r-240]
	}
	switch {
	case r < 248:
		return floatNames[r-240]
	case kind == Constant64:
		return "0.15915494309189532"
	}
	return "0.15915494"
}

var float32Names = map[uint32]string{
	0x3F000000: "0.5", 0xBF000000: "-0.5", 0x3F800000: "1.0", 0xBF800000: "-1.0", 0x40000000: "2.0", 0xC0000000: "-2.0",
	0x40800000: "4.0", 0xC0800000: "-4.0", 0x3E22F983: "0.15915494",
}

// constant32 writes 32 bits as an inline constant where there is one for them.
func constant32(value uint32) string {
	if v := int32(value); v >= -16 && v <= 64 {
		return strconv.Itoa(int(v))
	}
	if name := float32Names[value]; name != "" {
		return name
	}
	return hex(uint64(value))
}

// literalText writes the literal of an instruction as the type of its operand asks for.
func literalText(value uint32, operand Operand) string {
	switch operand.Constant {
	case Constant64:
		if value <= 64 {
			return strconv.Itoa(int(value))
		}
		return hex(uint64(value))
	case ConstantF16, ConstantInt16:
		v := int16(value)
		if v >= -16 && v <= 64 {
			return strconv.Itoa(int(v))
		}
		if name := float16Names[value]; name != "" && operand.Constant == ConstantF16 {
			return name
		}
		return hex(uint64(uint16(v)))
	}
	return constant32(value)
}

var float16Names = map[uint32]string{
	0x3800: "0.5", 0xB800: "-0.5", 0x3C00: "1.0", 0xBC00: "-1.0", 0x4000: "2.0", 0xC000: "-2.0", 0x4400: "4.0", 0xC400: "-4.0",
	0x3118: "0.15915494",
}

// modifiers writes what follows the operands of vector instructions.
func (w *writer) modifiers() {
	i := w.inst
	if i.Op.Refused() && i.Format == VOP3A && i.High {
		w.WriteString(" high")
	}
	if i.Clamp {
		w.WriteString(" clamp")
	}
	w.WriteString([...]string{"", " mul:2", " mul:4", " div:2"}[i.OMod])
	switch {
	case i.SDWA != nil:
		w.sdwa()
	case i.DPP != nil:
		w.dpp()
	}
}

var selections = [...]string{"BYTE_0", "BYTE_1", "BYTE_2", "BYTE_3", "WORD_0", "WORD_1", "DWORD", "7"}

func (w *writer) sdwa() {
	s, op := w.inst.SDWA, w.inst.Op
	if op.Format != VOPC {
		w.WriteString(" dst_sel:" + selections[s.DstSel])
		w.WriteString([...]string{" dst_unused:UNUSED_PAD", " dst_unused:UNUSED_SEXT", " dst_unused:UNUSED_PRESERVE", " dst_unused:UNUSED_PAD"}[s.DstUnused])
	}
	w.WriteString(" src0_sel:" + selections[s.Src0Sel])
	if hasRole(op.Base, 'b') {
		w.WriteString(" src1_sel:" + selections[s.Src1Sel])
	}
}

func (w *writer) dpp() {
	p := w.inst.DPP
	c := int(p.Ctrl)
	amount := strconv.Itoa(c & 15)
	var text string
	switch {
	case c <= 0xFF:
		text = fmt.Sprintf("quad_perm:[%d,%d,%d,%d]", c&3, c>>2&3, c>>4&3, c>>6&3)
	case c >= 0x101 && c <= 0x10F:
		text = "row_shl:" + amount
	case c >= 0x111 && c <= 0x11F:
		text = "row_shr:" + amount
	case c >= 0x121 && c <= 0x12F:
		text = "row_ror:" + amount
	case c >= 0x150 && c <= 0x15F:
		text = " /* row_newbcast/row_share is not supported on ASICs earlier than GFX90A/GFX10 */"
	case c >= 0x160 && c <= 0x16F:
		text = "/* row_xmask is not supported on ASICs earlier than GFX10 */"
	default:
		text = map[int]string{0x130: "wave_shl:1", 0x134: "wave_rol:1", 0x138: "wave_shr:1", 0x13C: "wave_ror:1", 0x140: "row_mirror",
			0x141: "row_half_mirror", 0x142: "row_bcast:15", 0x143: "row_bcast:31"}[c]
		if text == "" {
			text = "/* Invalid dpp_ctrl value */"
		}
	}
	fmt.Fprintf(w, " %s row_mask:0x%x bank_mask:0x%x", text, p.RowMask, p.BankMask)
	if p.BoundCtrl {
		w.WriteString(" bound_ctrl:1")
	}
}
