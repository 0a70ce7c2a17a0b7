#include "catalogue/model.h"

#include <boost/algorithm/hex.hpp>
#include <iterator>

namespace ogni::catalogue {

std::string CodeReference::sha256_base64() const {
  std::string bytes;
  boost::algorithm::unhex(sha256_hex, std::back_inserter(bytes));
  return to_base64(bytes);
}

}  // namespace ogni::catalogue
