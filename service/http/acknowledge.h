// Against delayed acknowledgements.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>

namespace ogni::http {

// To be called before each wait for the rest of a request. A client that writes a request in several pieces, with Nagle's
// algorithm on, sends the next piece when the one before it is acknowledged; left alone, the kernel holds that back for
// some 40 ms, in the hope of data to send along. The kernel forgets the option on its own.
inline void acknowledge_now(boost::asio::ip::tcp::socket& socket) {
  const int on = 1;
  // A socket that refuses is slow, or closed, which the read that follows finds.
  (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

}  // namespace ogni::http
