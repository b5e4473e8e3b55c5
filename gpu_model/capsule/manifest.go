package capsule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// The identity of the format that this package reads and writes.
const (
	FormatName    = "spartan-capsule"
	FormatVersion = 1
	ManifestFile  = "capsule.json"
)

// Limits of what is read, so that a broken capsule cannot take the host's memory.
const (
	maxManifestBytes = 16 << 20
	maxArgumentBytes = 64 << 10
	maxRegionBytes   = 64 << 30 // all regions together; committed as it is touched
)

// Manifest is the content of capsule.json.
type Manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Origin  string `json:"origin,omitempty"` // what produced the capsule, for people

	CodeObject string `json:"code_object"` // file
	Kernel     string `json:"kernel"`
	Arguments  string `json:"arguments,omitempty"` // file; the kernel-argument segment from its start

	Grid            []uint32 `json:"grid"`      // work-items
	Workgroup       []uint32 `json:"workgroup"` // work-items
	GlobalOffset    []uint64 `json:"global_offset,omitempty"`
	DynamicLDSBytes uint32   `json:"dynamic_lds_bytes,omitempty"`
	DispatchID      uint64   `json:"dispatch_id,omitempty"`

	Regions  []Region  `json:"regions"`
	Expected *Expected `json:"expected,omitempty"`
}

// Region is a range of device memory.
type Region struct {
	Name    string  `json:"name"`
	Address Address `json:"address"`
	Bytes   uint64  `json:"bytes"`
	Before  string  `json:"before,omitempty"` // file; none: zeros
	After   string  `json:"after,omitempty"`  // file; none: as before
	Ignore  bool    `json:"ignore,omitempty"` // the contents afterwards are not compared
}

// Expected is what a launch counted where the capsule comes from.
type Expected struct {
	Instructions uint64 `json:"instructions,omitempty"` // wavefront instructions
	Cycles       uint64 `json:"cycles,omitempty"`       // of the kernel
	GPU          string `json:"gpu,omitempty"`          // which GPU the cycles are of, such as a preset's name
}

// Address is a device address. It is written as a string in hexadecimal, since JSON numbers lose bits in some readers.
type Address uint64

// MarshalJSON writes "0x…".
func (a Address) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprintf("0x%x", uint64(a))) }

// UnmarshalJSON reads "0x…" or a plain number.
func (a *Address) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	x, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return fmt.Errorf("expected an address such as \"0x1000\", got %s", b)
	}
	*a = Address(x)
	return nil
}

// FormatError says what is wrong with a capsule, as opposed to what its kernel did.
type FormatError struct {
	File   string
	Reason string
}

// Error returns the sentence.
func (e *FormatError) Error() string { return e.File + ": " + e.Reason }

// Capsule is an opened capsule.
type Capsule struct {
	Manifest
	Directory string
	arguments []byte
}

// Open reads and checks the manifest of the capsule in a folder, and its arguments. The contents of regions stay in their files
// until it runs.
func Open(directory string) (*Capsule, error) {
	c := &Capsule{Directory: directory}
	path := filepath.Join(directory, ManifestFile)
	b, err := readLimited(path, maxManifestBytes)
	if err != nil {
		return nil, c.wrong(ManifestFile, "cannot be read as a capsule's manifest: %v", withoutPath(err))
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c.Manifest); err != nil {
		return nil, c.wrong(ManifestFile, "%v", err)
	}
	if decoder.More() {
		return nil, c.wrong(ManifestFile, "something follows the manifest's object")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Manifest.Arguments != "" {
		if c.arguments, err = readLimited(c.path(c.Manifest.Arguments), maxArgumentBytes); err != nil {
			return nil, c.wrong(c.Manifest.Arguments, "%v", withoutPath(err))
		}
	}
	return c, nil
}

// ArgumentBytes returns the raw kernel-argument segment.
func (c *Capsule) ArgumentBytes() []byte { return c.arguments }

func (c *Capsule) path(file string) string { return filepath.Join(c.Directory, file) }

func (c *Capsule) wrong(file, format string, arguments ...any) error {
	return &FormatError{File: c.path(file), Reason: fmt.Sprintf(format, arguments...)}
}

// check refuses manifests that do not make sense by themselves; the launch is checked against its kernel when it runs.
func (c *Capsule) check() error {
	m := &c.Manifest
	switch {
	case m.Format != FormatName:
		return c.wrong(ManifestFile, "expected format %q, got %q", FormatName, m.Format)
	case m.Version != FormatVersion:
		return c.wrong(ManifestFile, "expected version %d of the format, got %d", FormatVersion, m.Version)
	case m.Kernel == "":
		return c.wrong(ManifestFile, "expected the name of a kernel in \"kernel\"")
	}
	if err := c.checkFile("code_object", m.CodeObject, 0, false); err != nil {
		return err
	}
	if m.Arguments != "" {
		if err := c.checkFile("arguments", m.Arguments, 0, false); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	total := uint64(0)
	for i := range m.Regions {
		r := &m.Regions[i]
		if err := c.checkRegion(r); err != nil {
			return err
		}
		if names[r.Name] {
			return c.wrong(ManifestFile, "there are two regions %q; give each a name of its own", r.Name)
		}
		names[r.Name] = true
		if total += r.Bytes; r.Bytes > maxRegionBytes || total > maxRegionBytes {
			return c.wrong(ManifestFile, "expected regions of at most %d bytes together, got more with region %q", uint64(maxRegionBytes), r.Name)
		}
	}
	for i, r := range m.ordered() {
		if i > 0 {
			if p := m.ordered()[i-1]; uint64(p.Address)+p.Bytes > uint64(r.Address) {
				return c.wrong(ManifestFile, "region %q at 0x%x overlaps region %q at 0x%x", r.Name, uint64(r.Address), p.Name, uint64(p.Address))
			}
		}
	}
	return nil
}

func (c *Capsule) checkRegion(r *Region) error {
	switch {
	case r.Name == "":
		return c.wrong(ManifestFile, "the region at 0x%x has no name", uint64(r.Address))
	case r.Bytes == 0:
		return c.wrong(ManifestFile, "region %q: expected at least 1 byte, got 0", r.Name)
	case uint64(r.Address) > math.MaxUint64-r.Bytes:
		return c.wrong(ManifestFile, "region %q: %d bytes at 0x%x pass the end of the address space", r.Name, r.Bytes, uint64(r.Address))
	case r.Ignore && r.After != "":
		return c.wrong(ManifestFile, "region %q: expected either \"after\" or \"ignore\", got both", r.Name)
	}
	for key, file := range map[string]string{"before": r.Before, "after": r.After} {
		if file != "" {
			if err := c.checkFile(fmt.Sprintf("region %q: %s", r.Name, key), file, r.Bytes, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFile refuses a name that leads out of the capsule, a file that is not there, and one of another size than the region's.
func (c *Capsule) checkFile(what, file string, size uint64, exact bool) error {
	if file == "" || !filepath.IsLocal(file) {
		return c.wrong(ManifestFile, "%s: expected the name of a file inside the capsule, got %q", what, file)
	}
	info, err := os.Stat(c.path(file))
	switch {
	case err != nil:
		return c.wrong(ManifestFile, "%s: %q: %v", what, file, withoutPath(err))
	case !info.Mode().IsRegular():
		return c.wrong(ManifestFile, "%s: %q is not a regular file", what, file)
	case exact && uint64(info.Size()) != size:
		return c.wrong(ManifestFile, "%s: expected %d bytes in %q, got %d", what, size, file, info.Size())
	}
	return nil
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("expected at most %d bytes, got more", limit)
	}
	return b, err
}

// withoutPath drops the path that messages name already.
func withoutPath(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}
