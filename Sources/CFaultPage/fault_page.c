#include "fault_page.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fault_page *fault_page_map(const char *path, bool makes) {
    int descriptor = open(path, O_RDWR | O_CLOEXEC | (makes ? O_CREAT | O_TRUNC : 0), 0600);
    if (descriptor < 0) return NULL;
    void *page = MAP_FAILED;
    if (!makes || ftruncate(descriptor, sizeof(struct fault_page)) == 0) {
        page = mmap(NULL, sizeof(struct fault_page), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    }
    close(descriptor);
    return page == MAP_FAILED ? NULL : page;
}

void fault_page_unmap(struct fault_page *page) {
    munmap(page, sizeof *page);
}

static void copy(char *target, const char *text, size_t size) {
    strncpy(target, text, size - 1);
    target[size - 1] = 0;
}

void fault_page_clear(struct fault_page *page, const char *root) {
    memset(page, 0, sizeof *page);
    copy(page->root, root, sizeof page->root);
}

uint64_t fault_page_arm(
    struct fault_page *page, uint64_t action, uint64_t argument, uint64_t target, uint64_t kinds, const char *thread) {
    __atomic_store_n(&page->armed, 0, __ATOMIC_SEQ_CST);
    page->counted = 0;
    page->struck = 0;
    page->action = action;
    page->argument = argument;
    page->target = target;
    page->kinds = kinds;
    copy(page->thread, thread, sizeof page->thread);
    uint64_t noted = fault_page_noted(page);
    __atomic_store_n(&page->armed, 1, __ATOMIC_SEQ_CST);
    return noted;
}

void fault_page_heal(struct fault_page *page) {
    __atomic_store_n(&page->action, FAULT_NOTHING, __ATOMIC_SEQ_CST);
}

uint64_t fault_page_struck(const struct fault_page *page) {
    return __atomic_load_n(&page->struck, __ATOMIC_SEQ_CST);
}

uint64_t fault_page_failed(const struct fault_page *page) {
    return __atomic_load_n(&page->failed, __ATOMIC_SEQ_CST);
}

uint64_t fault_page_noted(const struct fault_page *page) {
    uint64_t noted = __atomic_load_n(&page->noted, __ATOMIC_SEQ_CST);
    return noted < FAULT_PAGE_CALLS ? noted : FAULT_PAGE_CALLS;
}

const struct fault_call *fault_page_call(const struct fault_page *page, uint64_t index) {
    return &page->calls[index];
}
