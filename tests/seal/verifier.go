// A client of a sealed ledger that trusts nothing of it but its public key. All that checks is golang.org/x/mod's
// sumdb/note and sumdb/tlog; here is only what fetches.
//
//	verifier ADDRESS API-KEY VERIFIER-KEY FROM-CHECKPOINT-FILE
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var address, key = os.Args[1], os.Args[2]

func check(err error) {
	if err != nil {
		fmt.Println("REFUSED:", err)
		os.Exit(1)
	}
}

func get(path string) []byte {
	request, err := http.NewRequest("GET", address+path, nil)
	check(err)
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultClient.Do(request)
	check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != 200 {
		check(fmt.Errorf("%s: %d %s", path, answer.StatusCode, body))
	}
	return body
}

// A signed checkpoint: three lines, of which the first is also the name of the key.
func open(signed []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		check(fmt.Errorf("the origin is %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}
}

type tiles struct{}

func (tiles) Height() int                      { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (tiles) ReadTiles(wanted []tlog.Tile) (read [][]byte, err error) {
	for _, tile := range wanted {
		read = append(read, get("/tile/"+strings.TrimPrefix(tile.Path(), "tile/8/")))
	}
	return read, nil
}

func hashes(told []string) (read []tlog.Hash) {
	for _, text := range told {
		hash, err := tlog.ParseHash(text)
		check(err)
		read = append(read, hash)
	}
	return read
}

func main() {
	verifier, err := note.NewVerifier(os.Args[3])
	check(err)
	tree := open(get("/checkpoint"), verifier)
	reader := tlog.TileHashReader(tree, tiles{})
	root, err := tlog.TreeHash(tree.N, reader)
	check(err)
	if root != tree.Hash {
		check(fmt.Errorf("the tiles have the root %v", root))
	}
	for first := int64(0); first < tree.N; first += 256 {
		bundle := tlog.Tile{H: 8, L: 0, N: first / 256, W: 256}
		if tree.N-first < 256 {
			bundle.W = int(tree.N - first)
		}
		rest := get("/tile/entries/" + strings.TrimPrefix(bundle.Path(), "tile/8/0/"))
		for index := first; index < first+int64(bundle.W); index++ {
			length := binary.BigEndian.Uint16(rest)
			entry := rest[2 : 2+length]
			rest = rest[2+length:]
			leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			check(err)
			if leaf[0] != tlog.RecordHash(entry) {
				check(fmt.Errorf("entry %d is not the leaf", index))
			}
			if index%97 != 0 && index != tree.N-1 {
				continue
			}
			var told struct{ Hashes []string }
			check(json.Unmarshal(get(fmt.Sprintf("/v1/proofs/inclusion?position=%d", index+1)), &told))
			check(tlog.CheckRecord(hashes(told.Hashes), tree.N, tree.Hash, index, tlog.RecordHash(entry)))
		}
		if len(rest) != 0 {
			check(fmt.Errorf("a bundle has %d bytes too many", len(rest)))
		}
	}
	kept, err := os.ReadFile(os.Args[4])
	check(err)
	for _, signed := range strings.SplitAfter(string(kept), "=\n\x00") {
		if signed = strings.TrimSuffix(signed, "\x00"); signed == "" {
			continue
		}
		older := open([]byte(signed), verifier)
		var told struct{ Hashes []string }
		check(json.Unmarshal(get(fmt.Sprintf("/v1/proofs/consistency?from=%d", older.N)), &told))
		check(tlog.CheckTree(hashes(told.Hashes), tree.N, tree.Hash, older.N, older.Hash))
	}
	fmt.Println("accepted", tree.N, base64.StdEncoding.EncodeToString(root[:]))
}
