#include "cli/schema/json_text.h"

#include <algorithm>
#include <cstddef>

#include <boost/json.hpp>

namespace fairlead::cli {
namespace {

namespace json = boost::json;

bool IsFlat(const json::array& items) {
  return std::none_of(items.begin(), items.end(),
                      [](const json::value& item) { return item.is_structured(); });
}

class Writer {
 public:
  void Write(const json::value& value) {
    if (const json::object* members = value.if_object()) {
      WriteList("{", *members, "}", [this](const auto& member) {
        text_ += json::serialize(json::string_view(member.key())) + ": ";
        Write(member.value());
      });
    } else if (const json::array* items = value.if_array(); items != nullptr && !IsFlat(*items)) {
      WriteList("[", *items, "]", [this](const json::value& item) { Write(item); });
    } else if (items != nullptr) {
      WriteFlat(*items);
    } else {
      text_ += json::serialize(value);
    }
  }

  const std::string& text() const { return text_; }

 private:
  template <typename List, typename WriteItem>
  void WriteList(const char* open, const List& list, const char* close,
                 const WriteItem& write_item) {
    text_ += open;
    indent_ += 2;
    const char* separator = "";
    for (const auto& item : list) {
      text_ += separator;
      text_ += "\n" + std::string(indent_, ' ');
      write_item(item);
      separator = ",";
    }
    indent_ -= 2;
    if (!list.empty()) text_ += "\n" + std::string(indent_, ' ');
    text_ += close;
  }

  void WriteFlat(const json::array& items) {
    text_ += "[";
    const char* separator = "";
    for (const json::value& item : items) {
      text_ += separator + json::serialize(item);
      separator = ", ";
    }
    text_ += "]";
  }

  std::string text_;
  std::size_t indent_ = 0;
};

}  // namespace

std::string JsonText(const json::value& value) {
  Writer writer;
  writer.Write(value);
  return writer.text() + "\n";
}

}  // namespace fairlead::cli
