// Writes the manifest of this build: write_manifest <commit> <toolkit> <output.json> <targets...>
#include <cstdio>
#include <cstdlib>

#include "effconv/kernel_manifest.h"

int main(int argc, char** argv) {
    if (argc < 5) {
        std::fprintf(stderr, "usage: write_manifest <commit> <toolkit> <output.json> <targets...>\n");
        return 2;
    }
    effconv::DeviceCodeOrigin origin{argv[1], argv[2], {}};
    for (int i = 4; i < argc; ++i) origin.targets.push_back(std::atoi(argv[i]));
    std::FILE* file = std::fopen(argv[3], "w");
    const std::string json = effconv::kernelManifestJson(origin);
    if (file == nullptr || std::fwrite(json.data(), 1, json.size(), file) != json.size() || std::fclose(file) != 0) {
        std::perror(argv[3]);
        return 1;
    }
    return 0;
}
