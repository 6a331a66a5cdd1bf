// Checks an exported audit bundle with golang.org/x/mod/sumdb, the code that Go's own checksum database is checked by.
// It shares no line with KoshFlow: signature, root, tiles, proofs of inclusion and of consistency are computed by Go.
//
//	check_log KEY BUNDLE [NOTE]
//
// NOTE is a file with an older checkpoint, of which the bundle must be a continuation. Prints what was proved as JSON and
// ends with 0; with 1, and why in a line, where anything does not hold.
package main

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// bundle is the zip file, laid out as c2sp.org/tlog-tiles; it is also where Go reads tiles from.
type bundle struct{ *zip.ReadCloser }

func (b bundle) member(name string) ([]byte, error) {
	file, err := b.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

func (b bundle) Height() int { return height }

func (b bundle) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		// Go's paths name the height, which tlog-tiles leaves out: it is always 8.
		data, err := b.member("tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height)))
		if err != nil {
			return nil, err
		}
		read = append(read, data)
	}
	return read, nil
}

func (b bundle) SaveTiles([]tlog.Tile, [][]byte) {}

// tree is what a checkpoint says, once its signature was found good.
func tree(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// records proves every event that is there at its place; an entry without length was left out of the bundle.
func (b bundle) records(now tlog.Tree, hashes tlog.HashReader) (int, error) {
	proved := 0
	for first := int64(0); first < now.N; first += 1 << height {
		tile := tlog.Tile{H: height, L: 0, N: first >> height, W: 1 << height}
		if now.N-first < 1<<height {
			tile.W = int(now.N - first)
		}
		entries, err := b.member("tile/entries/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/0/", height)))
		if err != nil {
			return proved, err
		}
		for at := first; at < first+int64(tile.W); at++ {
			if len(entries) < 2 || len(entries)-2 < int(entries[0])<<8|int(entries[1]) {
				return proved, fmt.Errorf("the events are cut at %d", at)
			}
			length := int(entries[0])<<8 | int(entries[1])
			event := entries[2 : 2+length]
			entries = entries[2+length:]
			if length == 0 {
				continue
			}
			proof, err := tlog.ProveRecord(now.N, at, hashes)
			if err != nil {
				return proved, err
			}
			if err := tlog.CheckRecord(proof, now.N, now.Hash, at, tlog.RecordHash(event)); err != nil {
				return proved, fmt.Errorf("event %d: %w", at, err)
			}
			proved++
		}
		if len(entries) != 0 {
			return proved, fmt.Errorf("the events from %d on are too many", first)
		}
	}
	return proved, nil
}

func check(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("usage: check_log KEY BUNDLE [NOTE]")
	}
	verifier, err := note.NewVerifier(arguments[0])
	if err != nil {
		return err
	}
	opened, err := zip.OpenReader(arguments[1])
	if err != nil {
		return err
	}
	defer opened.Close()
	log := bundle{opened}
	text, err := log.member("checkpoint")
	if err != nil {
		return err
	}
	now, err := tree(text, verifier)
	if err != nil {
		return err
	}
	// Each tile that this reads is first proved to belong to the tree.
	hashes := tlog.TileHashReader(now, log)
	root, err := tlog.TreeHash(now.N, hashes)
	if err != nil {
		return err
	}
	if root != now.Hash {
		return errors.New("the tiles do not give the root")
	}
	proved, err := log.records(now, hashes)
	if err != nil {
		return err
	}
	grew := []int64{}
	for _, path := range arguments[2:] {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		old, err := tree(text, verifier)
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(now.N, old.N, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, now.N, now.Hash, old.N, old.Hash); err != nil {
			return fmt.Errorf("it did not grow from %d: %w", old.N, err)
		}
		grew = append(grew, old.N)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"size": now.N, "events": proved, "grew_from": grew})
}

func main() {
	if err := check(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "check_log:", err)
		os.Exit(1)
	}
}
