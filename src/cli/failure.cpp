// SPDX-License-Identifier: MIT
#include "cli/failure.hpp"

#include "qmp/error.hpp"

#include <string>

namespace qlaunch {

Error as_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const qmp::Timeout& error) {
    return TimeoutError(std::string("QEMU does not answer: ") + error.what());
  } catch (const qmp::Gone& error) {
    return StateError(std::string("QEMU has ended meanwhile: ") + error.what());
  } catch (const qmp::Error& error) {
    return Error(error.what());
  } catch (const std::exception& error) {
    return Error(std::string("internal error: ") + error.what());
  }
}

}  // namespace qlaunch
