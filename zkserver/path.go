package zkserver

import (
	"strings"
	"unicode/utf16"
)

// validPath is what ZooKeeper's servers ask of a path that is created or changed. They look at UTF-16 units, so a
// character beyond the basic plane is refused for its surrogates.
func validPath(path string) bool {
	if path == "/" {
		return true
	}
	if path == "" || path[0] != '/' || path[len(path)-1] == '/' {
		return false
	}
	for _, name := range strings.Split(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	for _, u := range utf16.Encode([]rune(path)) {
		if u <= 0x1f || u >= 0x7f && u <= 0x9f || u >= 0xd800 && u <= 0xf8ff || u >= 0xfff0 {
			return false
		}
	}
	return true
}

// hasParent says whether a path to be created or deleted can be cut at its last slash.
func hasParent(path string) bool {
	return strings.Contains(path, "/") && strings.IndexByte(path, 0) < 0
}

// special paths cannot be deleted.
func special(path string) bool {
	switch path {
	case "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config":
		return true
	}
	return false
}

// above is the path before the last slash: empty for the children of the root, which tree.get takes for the root.
func above(path string) string { return path[:strings.LastIndexByte(path, '/')] }
