! The Runtime API of AWS Lambda and Ogni, from libogni.
module ogni
  use, intrinsic :: iso_c_binding
  implicit none
  private
  public :: runtime, ok, refused, fatal

  integer, parameter :: ok = 0, refused = 1, fatal = 3

  type :: runtime
    private
    type(c_ptr) :: handle = c_null_ptr
  contains
    procedure :: open => open_runtime
    procedure :: next => next_invocation
    procedure :: event => event_text
    procedure :: respond
    procedure :: fail
    procedure :: request_id
    procedure :: remaining_ms
  end type runtime

  interface
    type(c_ptr) function ogni_open(address, user_agent) bind(c)
      import :: c_ptr, c_char
      type(c_ptr), value :: address
      character(kind=c_char), intent(in) :: user_agent(*)
    end function ogni_open
    integer(c_int) function ogni_next(handle) bind(c)
      import :: c_ptr, c_int
      type(c_ptr), value :: handle
    end function ogni_next
    type(c_ptr) function ogni_event(handle, bytes) bind(c)
      import :: c_ptr, c_size_t
      type(c_ptr), value :: handle
      integer(c_size_t), intent(out) :: bytes
    end function ogni_event
    type(c_ptr) function ogni_text(handle, which, bytes) bind(c)
      import :: c_ptr, c_int, c_size_t
      type(c_ptr), value :: handle
      integer(c_int), value :: which
      integer(c_size_t), intent(out) :: bytes
    end function ogni_text
    integer(c_int) function ogni_respond(handle, body, bytes, content_type) bind(c)
      import :: c_ptr, c_int, c_size_t, c_char
      type(c_ptr), value :: handle, content_type
      character(kind=c_char), intent(in) :: body(*)
      integer(c_size_t), value :: bytes
    end function ogni_respond
    integer(c_int) function ogni_fail(handle, error_type, message, stack_trace) bind(c)
      import :: c_ptr, c_int, c_char
      type(c_ptr), value :: handle, stack_trace
      character(kind=c_char), intent(in) :: error_type(*), message(*)
    end function ogni_fail
    integer(c_int64_t) function ogni_remaining_ms(handle) bind(c)
      import :: c_ptr, c_int64_t
      type(c_ptr), value :: handle
    end function ogni_remaining_ms
  end interface

contains

  logical function open_runtime(self, user_agent)
    class(runtime), intent(inout) :: self
    character(len=*), intent(in) :: user_agent
    self%handle = ogni_open(c_null_ptr, user_agent // c_null_char)
    open_runtime = c_associated(self%handle)
  end function open_runtime

  integer function next_invocation(self)
    class(runtime), intent(in) :: self
    next_invocation = ogni_next(self%handle)
  end function next_invocation

  function event_text(self) result(text)
    class(runtime), intent(in) :: self
    character(len=:), allocatable :: text
    integer(c_size_t) :: bytes
    type(c_ptr) :: first
    first = ogni_event(self%handle, bytes)
    text = copy_of(first, bytes)
  end function event_text

  function request_id(self) result(text)
    class(runtime), intent(in) :: self
    character(len=:), allocatable :: text
    integer(c_size_t) :: bytes
    type(c_ptr) :: first
    first = ogni_text(self%handle, 0_c_int, bytes)
    text = copy_of(first, bytes)
  end function request_id

  integer(c_int64_t) function remaining_ms(self)
    class(runtime), intent(in) :: self
    remaining_ms = ogni_remaining_ms(self%handle)
  end function remaining_ms

  integer function respond(self, body)
    class(runtime), intent(in) :: self
    character(len=*), intent(in) :: body
    respond = ogni_respond(self%handle, body, len(body, c_size_t), c_null_ptr)
  end function respond

  integer function fail(self, error_type, message)
    class(runtime), intent(in) :: self
    character(len=*), intent(in) :: error_type, message
    fail = ogni_fail(self%handle, error_type // c_null_char, message // c_null_char, c_null_ptr)
  end function fail

  function copy_of(first, bytes) result(text)
    type(c_ptr), intent(in) :: first
    integer(c_size_t), intent(in) :: bytes
    character(len=:), allocatable :: text
    character(kind=c_char), pointer :: letters(:)
    integer(c_size_t) :: i
    allocate (character(len=bytes) :: text)
    call c_f_pointer(first, letters, [bytes])
    do i = 1, bytes
      text(i:i) = letters(i)
    end do
  end function copy_of

end module ogni
