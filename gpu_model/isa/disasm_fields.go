package isa

import (
	"fmt"
	"strconv"
)

var hardwareRegisters = [...]string{1: "HW_REG_MODE", 2: "HW_REG_STATUS", 3: "HW_REG_TRAPSTS", 4: "HW_REG_HW_ID", 5: "HW_REG_GPR_ALLOC",
	6: "HW_REG_LDS_ALLOC", 7: "HW_REG_IB_STS"}

// hardwareRegister writes the immediate of s_getreg and s_setreg: register, first bit, number of bits.
func hardwareRegister(imm uint16) string {
	id, offset, width := int(imm&63), int(imm>>6&31), int(imm>>11)+1
	name := strconv.Itoa(id)
	if id < len(hardwareRegisters) && hardwareRegisters[id] != "" {
		name = hardwareRegisters[id]
	}
	if offset == 0 && width == 32 {
		return "hwreg(" + name + ")"
	}
	return fmt.Sprintf("hwreg(%s, %d, %d)", name, offset, width)
}

// waitCounters writes the immediate of s_waitcnt: the counters that are waited for.
func waitCounters(imm uint16) string {
	vm, exp, lgkm := imm&15, imm>>4&7, imm>>8&15
	all := vm == 15 && exp == 7 && lgkm == 15
	text := ""
	add := func(name string, value, most uint16) {
		if value != most || all {
			if text != "" {
				text += " "
			}
			text += fmt.Sprintf("%s(%d)", name, value)
		}
	}
	add("vmcnt", vm, 15)
	add("expcnt", exp, 7)
	add("lgkmcnt", lgkm, 15)
	return text
}

// message writes the immediate of s_sendmsg.
func message(imm uint16) string {
	id, operation, stream := imm&15, imm>>4&7, imm>>8&3
	geometry := [...]string{"GS_OP_NOP", "GS_OP_CUT", "GS_OP_EMIT", "GS_OP_EMIT_CUT"}
	system := [...]string{1: "SYSMSG_OP_ECC_ERR_INTERRUPT", 2: "SYSMSG_OP_REG_RD", 3: "SYSMSG_OP_HOST_TRAP_ACK", 4: "SYSMSG_OP_TTRACE_PC"}
	switch {
	case id == 1 && operation == 0 && stream == 0:
		return "sendmsg(MSG_INTERRUPT)"
	case id == 4 && operation == 0 && stream == 0:
		return "sendmsg(MSG_SAVEWAVE)"
	case id == 2 && operation >= 1 && operation <= 3:
		return fmt.Sprintf("sendmsg(MSG_GS, %s, %d)", geometry[operation], stream)
	case id == 3 && operation == 0 && stream == 0:
		return "sendmsg(MSG_GS_DONE, GS_OP_NOP)"
	case id == 3 && operation >= 1 && operation <= 3:
		return fmt.Sprintf("sendmsg(MSG_GS_DONE, %s, %d)", geometry[operation], stream)
	case id == 15 && operation >= 1 && operation <= 4 && stream == 0:
		return "sendmsg(MSG_SYSMSG, " + system[operation] + ")"
	}
	if imm&^0x37F != 0 {
		return strconv.Itoa(int(imm))
	}
	return fmt.Sprintf("sendmsg(%d, %d, %d)", id, operation, stream)
}

// indexMode writes which operands relative VGPR indexing applies to.
func indexMode(imm uint16) string {
	if imm > 15 {
		return hex(uint64(imm))
	}
	text := ""
	for bit, name := range [...]string{"SRC0", "SRC1", "SRC2", "DST"} {
		if imm>>bit&1 != 0 {
			if text != "" {
				text += ","
			}
			text += name
		}
	}
	return "gpr_idx(" + text + ")"
}

// parameter writes the source of v_interp_mov_f32.
func parameter(r Reg) string {
	n := int(r)
	if n < 3 {
		return [...]string{"p10", "p20", "p0"}[n]
	}
	return "invalid_param_" + strconv.Itoa(n)
}

// swizzle writes the offset of ds_swizzle_b32 (ISA documentation, ds_swizzle_b32: bit 15 chooses between a permutation of four lanes
// and the masks and, or, xor on the lane number).
func swizzle(offset uint32) string {
	and, or, xor := offset&31, offset>>5&31, offset>>10&31
	group := 32 - and
	switch {
	case offset&0xFF00 == 0x8000:
		return fmt.Sprintf("swizzle(QUAD_PERM,%d,%d,%d,%d)", offset&3, offset>>2&3, offset>>4&3, offset>>6&3)
	case offset >= 0x8000:
		return strconv.Itoa(int(offset))
	case and == 31 && or == 0 && isPowerOfTwo(xor):
		return fmt.Sprintf("swizzle(SWAP,%d)", xor)
	case and == 31 && or == 0 && xor > 0 && isPowerOfTwo(xor+1):
		return fmt.Sprintf("swizzle(REVERSE,%d)", xor+1)
	case xor == 0 && group > 1 && isPowerOfTwo(group) && or < group:
		return fmt.Sprintf("swizzle(BROADCAST,%d,%d)", group, or)
	}
	var mask [5]byte
	for i := range mask {
		bit := 4 - i
		from0, from1 := (or^xor)>>bit&1, (and|or)^xor
		switch from1 = from1 >> bit & 1; {
		case from0 == from1:
			mask[i] = "01"[from0]
		case from1 == 1:
			mask[i] = 'p'
		default:
			mask[i] = 'i'
		}
	}
	return fmt.Sprintf("swizzle(BITMASK_PERM,\"%s\")", mask[:])
}

func isPowerOfTwo(n uint32) bool { return n > 0 && n&(n-1) == 0 }
