// SPDX-License-Identifier: MIT
// The one place where Asio itself is compiled; everything else only declares it.
#include <boost/asio/impl/src.hpp>
