! A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
program hello
  use, intrinsic :: iso_fortran_env, only: error_unit, output_unit
  implicit none
  character(len=:), allocatable :: event
  integer :: calls = 0

  event = read_all()
  if (begins('{"name":"')) then
    call put('{"message":"Hello, ' // text_value() // '!"}')
  else if (begins('{"fail":"')) then
    write (error_unit, '(2a)') 'FunctionError: ', text_value()
    stop 1, quiet=.true.
  else if (begins('{"context":')) then
    call put('{"request_id":"' // variable('LAMBDA_RUNTIME_AWS_REQUEST_ID') // '"}')
  else if (begins('{"count":')) then
    calls = calls + 1
    call put('{"count":' // digits(calls) // '}')
  else
    call put(event)
  end if

contains

  function read_all() result(text)
    character(len=:), allocatable :: text
    integer, parameter :: block_bytes = 65536
    character(len=block_bytes) :: block
    integer :: unit, status, got
    open (newunit=unit, file='/dev/stdin', access='stream', form='formatted', action='read')
    text = ''
    do
      read (unit, '(a)', advance='no', size=got, iostat=status) block
      text = text // block(1:got)
      if (status /= 0) exit
    end do
    close (unit)
  end function read_all

  logical function begins(start)
    character(len=*), intent(in) :: start
    begins = index(event, start) == 1
  end function begins

  ! VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
  function text_value() result(value)
    character(len=:), allocatable :: value
    value = event(len('{"name":"') + 1:len_trim(event) - 2)
  end function text_value

  function variable(name) result(value)
    character(len=*), intent(in) :: name
    character(len=:), allocatable :: value
    integer :: length
    call get_environment_variable(name, length=length)
    allocate (character(len=length) :: value)
    call get_environment_variable(name, value)
  end function variable

  function digits(number) result(text)
    integer, intent(in) :: number
    character(len=:), allocatable :: text
    character(len=12) :: buffer
    write (buffer, '(i0)') number
    text = trim(buffer)
  end function digits

  subroutine put(text)
    character(len=*), intent(in) :: text
    write (output_unit, '(a)', advance='no') text
  end subroutine put

end program hello
