package isa

import (
	"encoding/binary"
	"strings"
	"testing"
)

func words(list ...uint32) (code []byte) {
	for _, w := range list {
		code = binary.LittleEndian.AppendUint32(code, w)
	}
	return code
}

// TestReserved: words that LLVM gives a text, though no GCN3 machine defines them, have that text and do not decode.
func TestReserved(t *testing.T) {
	for _, c := range []struct {
		code      []byte
		text, why string
	}{
		{words(0x020406FA, 0xFF016404), "v_add_f32_dpp v2, v4, v3 /* row_xmask is not supported on ASICs earlier than GFX10 */ row_mask:0xf bank_mask:0xf",
			"DPP control 0x164 is not defined"},
		{words(0x020000F9, 0x06061E04), "v_add_f32_sdwa v0, v4, v0 dst_sel:DWORD dst_unused:UNUSED_PAD src0_sel:DWORD src1_sel:DWORD",
			"SDWA destination mode 3 is not defined"},
		{words(0xBEFD0080), "s_mov_b32 null, 0", "register code 125 is not defined"},
		{words(0xBE8000EB), "s_mov_b32 s0, src_shared_base", "source code 235 is not defined"},
		{words(0xC0081980, 0), "s_load_dwordx4 flat_scratch/*Invalid register, operand has 'SReg_128' register class*/, s[0:1], s0",
			"flat_scratch has two dwords, 4 are needed"},
		{words(0xC00C1800, 0), "s_load_dwordx8 s[96:103], s[0:1], s0", "s[96:103] reaches beyond s101"},
		{words(0xC0001F00, 0), "s_load_dword m0/*Invalid register, operand has 'SReg_32_XM0_XEXEC' register class*/, s[0:1], s0",
			"s_load_dword does not move m0 or exec"},
		{words(0xDC500010, 0x01000002), "flat_load_dword v1, v[2:3] offset:16", "FLAT has no offset on GCN3"},
		{words(0xBE801D81), "s_setpc_b64 /*invalid immediate*/", "source code 129 is a constant, a register is needed"},
		{words(0xD2890001, 0x00010500), "v_readlane_b32 s1, v0, 2", ""},
		{words(0xD2890001, 0x00020500), "v_readlane_b32 s1, v0, v2/*Invalid register, operand has 'SReg_32' register class*/",
			"source v2 must be scalar"},
		{words(0xD0410080, 0), "v_cmp_lt_f32_e64 /*invalid immediate*/, s0, s0", "destination code 128 is no scalar register"},
		{words(0xD1000000, 0x01F80000), "v_cndmask_b32_e64 v0, s0, s0, exec/*Invalid register, operand has 'SReg_1_XEXEC' register class*/",
			"exec is no mask that a lane is chosen by"},
		{words(0xD2880000, 0x40000000), "v_ldexp_f32 v0, s0, sext(s0)", "v_ldexp_f32 takes no modifiers on integer sources"},
		{words(0xE0500000, 0x1A1A0000), "buffer_load_dword v0, off, xnack_mask/*Invalid register, operand has 'SReg_128' register class*/, s26",
			"xnack_mask has two dwords, 4 are needed"},
	} {
		text, size, err := Disassemble(c.code)
		if err != nil || text != c.text || size != len(c.code) {
			t.Errorf("% x: expected %q of %d bytes, got %q of %d, %v", c.code, c.text, len(c.code), text, size, err)
		}
		_, err = Decode(c.code)
		if c.why == "" {
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
			}
			continue
		}
		if err == nil || !strings.HasSuffix(err.Error(), " is not a gfx803 instruction: "+c.why) {
			t.Errorf("%s: expected the reason %q, got %v", c.text, c.why, err)
		}
	}
}

// TestRefused: the error names the words and what is wrong.
func TestRefused(t *testing.T) {
	for want, code := range map[string][]byte{
		"an instruction has 4 bytes or 8, 2 are left":                    {0x80, 0xBF},
		"0xbe8000ff is not a gfx803 instruction: its second dword":       words(0xBE8000FF),
		"0xd1c10000 is not a gfx803 instruction: its second dword":       words(0xD1C10000),
		"0xfc000000 is not a gfx803 instruction: no encoding starts":     words(0xFC000000, 0),
		"0xbeff6000 is not a gfx803 instruction: SOP1 has no opcode 96":  words(0xBEFF6000),
		"0x020406f9 0x07060604 is not a gfx803 instruction: an SDWA sel": words(0x020406F9, 0x07060604),
	} {
		_, _, err := Disassemble(code)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("% x: expected an error with %q, got %v", code, want, err)
		}
	}
}
