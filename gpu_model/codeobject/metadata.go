package codeobject

import (
	"fmt"
	"strings"
)

// Note types of AMDGPU code objects.
const (
	noteMetadataV2 = 10 // owner "AMD": YAML
	noteMetadataV3 = 32 // owner "AMDGPU": MessagePack
)

// kernelMetadata is what the metadata note says of one kernel.
type kernelMetadata struct {
	name          string
	arguments     []Argument
	kernargBytes  uint32
	sgprs, vgprs  uint32
	reqdWorkgroup [3]uint32
	maxWorkgroup  uint32
	dynamicStack  bool
}

// value is a node of a metadata document: map[string]value, []value, string, int64 (uint64 bits), bool, float64 or nil.
type value any

// readMetadata returns the kernels of the metadata note; none when the object has no note.
func readMetadata(f *file, version int) ([]kernelMetadata, error) {
	var kernels []kernelMetadata
	found := false
	err := f.notes(func(owner string, kind uint32, content []byte) error {
		switch {
		case found: // the first one counts
		case version == 2 && owner == "AMD" && kind == noteMetadataV2:
			found = true
			document, err := parseYAML(strings.TrimRight(string(content), "\x00"))
			if err != nil {
				return fmt.Errorf("the metadata note: %w", err)
			}
			kernels = metadataV2(document)
		case version > 2 && owner == "AMDGPU" && kind == noteMetadataV3:
			found = true
			document, err := parseMessagePack(content)
			if err != nil {
				return fmt.Errorf("the metadata note: %w", err)
			}
			kernels = metadataV3(document)
		}
		return nil
	})
	return kernels, err
}

func field(v value, key string) value {
	m, _ := v.(map[string]value)
	return m[key]
}

func text(v value) string { s, _ := v.(string); return s }

// number reads a count; values outside 32 bits read as the largest, which later checks refuse.
func number(v value) uint32 {
	switch n := v.(type) {
	case int64:
		if n < 0 || n > 1<<32-1 {
			return 1<<32 - 1
		}
		return uint32(n)
	case string:
		var u uint64
		if _, err := fmt.Sscanf(n, "%d", &u); err == nil && u < 1<<32 {
			return uint32(u)
		}
	}
	return 0
}

func list(v value) []value { l, _ := v.([]value); return l }

func triple(v value) (t [3]uint32) {
	for i, x := range list(v) {
		if i < 3 {
			t[i] = number(x)
		}
	}
	return t
}

// metadataV3 reads the document of code objects v3 and later.
func metadataV3(document value) []kernelMetadata {
	var kernels []kernelMetadata
	for _, k := range list(field(document, "amdhsa.kernels")) {
		m := kernelMetadata{
			name:          text(field(k, ".name")),
			kernargBytes:  number(field(k, ".kernarg_segment_size")),
			sgprs:         number(field(k, ".sgpr_count")),
			vgprs:         number(field(k, ".vgpr_count")),
			reqdWorkgroup: triple(field(k, ".reqd_workgroup_size")),
			maxWorkgroup:  number(field(k, ".max_flat_workgroup_size")),
		}
		if s := text(field(k, ".symbol")); s != "" {
			m.name = strings.TrimSuffix(s, ".kd")
		}
		m.dynamicStack, _ = field(k, ".uses_dynamic_stack").(bool)
		for _, a := range list(field(k, ".args")) {
			m.arguments = append(m.arguments, Argument{
				Name: text(field(a, ".name")), TypeName: text(field(a, ".type_name")),
				Offset: number(field(a, ".offset")), Size: number(field(a, ".size")),
				Kind: text(field(a, ".value_kind")), Access: text(field(a, ".access")), PointeeAlign: number(field(a, ".pointee_align")),
			})
		}
		kernels = append(kernels, m)
	}
	return kernels
}

// kindsV2 gives the v3 spelling of the v2 argument kinds.
var kindsV2 = map[string]string{
	"ByValue": "by_value", "GlobalBuffer": "global_buffer", "DynamicSharedPointer": "dynamic_shared_pointer",
	"Sampler": "sampler", "Image": "image", "Pipe": "pipe", "Queue": "queue",
	"HiddenGlobalOffsetX": "hidden_global_offset_x", "HiddenGlobalOffsetY": "hidden_global_offset_y",
	"HiddenGlobalOffsetZ": "hidden_global_offset_z", "HiddenNone": "hidden_none", "HiddenPrintfBuffer": "hidden_printf_buffer",
	"HiddenHostcallBuffer": "hidden_hostcall_buffer", "HiddenDefaultQueue": "hidden_default_queue",
	"HiddenCompletionAction": "hidden_completion_action", "HiddenMultiGridSyncArg": "hidden_multigrid_sync_arg",
}

// metadataV2 reads the YAML document of code objects v2. It gives sizes and alignments; offsets follow from them.
func metadataV2(document value) []kernelMetadata {
	var kernels []kernelMetadata
	for _, k := range list(field(document, "Kernels")) {
		m := kernelMetadata{
			name:          text(field(k, "Name")),
			kernargBytes:  number(field(field(k, "CodeProps"), "KernargSegmentSize")),
			reqdWorkgroup: triple(field(field(k, "Attrs"), "ReqdWorkGroupSize")),
			maxWorkgroup:  number(field(field(k, "CodeProps"), "MaxFlatWorkGroupSize")),
		}
		if s := text(field(k, "SymbolName")); s != "" {
			m.name = strings.TrimSuffix(s, "@kd")
		}
		offset := uint32(0)
		for _, a := range list(field(k, "Args")) {
			size, align := number(field(a, "Size")), max(1, number(field(a, "Align")))
			if align <= maxKernargBytes && offset <= maxKernargBytes {
				offset = (offset + align - 1) / align * align
			}
			kind := text(field(a, "ValueKind"))
			if k3, ok := kindsV2[kind]; ok {
				kind = k3
			}
			m.arguments = append(m.arguments, Argument{
				Name: text(field(a, "Name")), TypeName: text(field(a, "TypeName")), Offset: offset, Size: size, Kind: kind,
				Access: strings.ToLower(text(field(a, "AccQual"))), PointeeAlign: number(field(a, "PointeeAlign")),
			})
			offset += size
		}
		kernels = append(kernels, m)
	}
	return kernels
}
