// Writes the manifest of this build: write_manifest <commit> <output.json>
#include <cstdio>

#include "effconv/kernel_manifest.h"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: write_manifest <commit> <output.json>\n");
        return 2;
    }
    std::FILE* file = std::fopen(argv[2], "w");
    const std::string json = effconv::kernelManifestJson(argv[1]);
    if (file == nullptr || std::fwrite(json.data(), 1, json.size(), file) != json.size() || std::fclose(file) != 0) {
        std::perror(argv[2]);
        return 1;
    }
    return 0;
}
