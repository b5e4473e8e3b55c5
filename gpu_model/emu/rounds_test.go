//go:build !long

package emu

// rounds is how often every instruction runs in every encoding, vector instructions on 64 lanes each.
const rounds = 8
