// The files beside a front controller that a browser loads by themselves: styles, scripts, fonts, pictures.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bootstrap/http_event.h"

namespace ogni::bootstrap {

class StaticFiles {
 public:
  // Of everything below the absolute path `root`. Where `is_shared` says that the root also holds what is not meant for
  // browsers (the whole package), formats in which programs keep their settings (JSON, XML, CSV) are not served.
  StaticFiles(std::string root, std::string boundary, bool is_shared)
      : root_(std::move(root)), boundary_(std::move(boundary)), is_shared_(is_shared) {}

  // The answer to a GET or HEAD of a regular file with a known extension; its body lives in `content`. None: the
  // application answers. So it is for names of which a part begins with a point, for all that a link leads out of
  // `boundary` (an absolute path), and for files over the size of an answer.
  std::optional<HttpReply> find(const HttpRequest& request, std::string& content) const;

 private:
  std::string root_;
  std::string boundary_;
  bool is_shared_;
};

}  // namespace ogni::bootstrap
