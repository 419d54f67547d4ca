// cp.async of one thread: the destination is poisoned when a copy starts and written when its group is waited for.
#pragma once

#include <cstring>
#include <vector>

namespace effconv::host {

class AsyncCopies {
public:
    /// Starts a copy of bytes bytes; those from sourceBytes on become 0.
    void start(void* destination, const void* source, int bytes, int sourceBytes) {
        std::memset(destination, 0xff, static_cast<std::size_t>(bytes));
        pending_.push_back({destination, source, bytes, sourceBytes, openGroup_});
    }

    /// Closes the open group.
    void commit() { ++openGroup_; }

    /// Completes every closed group but the newest newestGroupsLeft.
    void wait(int newestGroupsLeft) {
        std::vector<Copy> left;
        for (const Copy& copy : pending_) {
            if (copy.group + static_cast<unsigned>(newestGroupsLeft) < openGroup_) {
                const auto copied = static_cast<std::size_t>(copy.sourceBytes);
                std::memcpy(copy.destination, copy.source, copied);
                std::memset(static_cast<char*>(copy.destination) + copied, 0,
                            static_cast<std::size_t>(copy.bytes) - copied);
            } else {
                left.push_back(copy);
            }
        }
        pending_.swap(left);
    }

private:
    struct Copy {
        void* destination;
        const void* source;
        int bytes;
        int sourceBytes;
        unsigned group;
    };
    std::vector<Copy> pending_;
    unsigned openGroup_ = 0;
};

/// Those of the running thread.
AsyncCopies& asyncCopies();

}  // namespace effconv::host
