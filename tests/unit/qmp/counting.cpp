// SPDX-License-Identifier: MIT
#include "counting.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

thread_local test::Allocations counted;

void* take(std::size_t size) {
  void* memory = std::malloc(size != 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  ++counted.made;
  ++counted.alive;
  counted.alive_size += static_cast<long>(::malloc_usable_size(memory));
  return memory;
}

void give(void* memory) noexcept {
  if (memory == nullptr) return;
  --counted.alive;
  counted.alive_size -= static_cast<long>(::malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

namespace test {

Allocations allocations() {
  return counted;
}

}  // namespace test

void* operator new(std::size_t size) {
  return take(size);
}
void* operator new[](std::size_t size) {
  return take(size);
}
void operator delete(void* memory) noexcept {
  give(memory);
}
void operator delete[](void* memory) noexcept {
  give(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  give(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  give(memory);
}
