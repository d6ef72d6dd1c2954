// The two forms of an image: the bytes of a shared library and a seal, as a "cubin"; or the same in hexadecimal digits behind a
// line of text, ended by a zero, as "PTX". The seal tells a damaged file of a cache, and what architecture was asked for.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

const size_t seal_bytes = 24;
static const char *const text_image_mark = "// simulated PTX, which is no text for a real GPU\n";

inline uint64_t fnv(const char *p, size_t n, uint64_t h = 14695981039346656037u) {
	for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)p[i]) * 1099511628211u;
	return h;
}

inline std::string seal(std::string library, uint64_t architecture) {
	library += "SIMSEAL2" + std::string((const char *)&architecture, sizeof architecture);
	const uint64_t h = fnv(library.data(), library.size());
	return library + std::string((const char *)&h, sizeof h);
}

// The library of an image that has its seal, and the architecture.
inline std::string without_seal(const std::string &image) { return image.substr(0, image.size() - seal_bytes); }
inline uint64_t architecture_of(const std::string &image) {
	uint64_t a;
	memcpy(&a, image.data() + image.size() - 2 * sizeof a, sizeof a);
	return a;
}

inline bool sealed(const std::string &image) {
	return image.size() > seal_bytes && seal(without_seal(image), architecture_of(image)) == image;
}

inline std::string to_text(const std::string &image) {
	std::string s = text_image_mark;
	for (const unsigned char c : image) {
		s += "0123456789abcdef"[c >> 4];
		s += "0123456789abcdef"[c & 15];
	}
	return s + '\n';
}

// The image of a text, or "" if it is damaged.
inline std::string from_text(const char *text) {
	const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
	std::string image;
	for (const char *p = text + strlen(text_image_mark); digit(p[0]) >= 0 && digit(p[1]) >= 0; p += 2) {
		image += (char)(digit(p[0]) << 4 | digit(p[1]));
	}
	return sealed(image) ? image : "";
}
