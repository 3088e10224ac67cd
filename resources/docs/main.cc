// resource_docs EXAMPLES: prints docs/resources.md. `make docs` runs it.
#include <iostream>

#include "resources/docs/reference_page.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: resource_docs FOLDER_OF_EXAMPLES\n";
    return 1;
  }
  const auto examples = fairlead::resources::ReadExamples(argv[1]);
  const auto page = examples.ok() ? fairlead::resources::ReferencePage(*examples)
                                  : absl::StatusOr<std::string>(examples.status());
  if (!page.ok()) {
    std::cerr << "resource_docs: " << page.status().message() << "\n";
    return 1;
  }
  std::cout << *page;
  return 0;
}
